//! One writer's schema, and how it is read: quickly where the envelope is ours, field by field where it is a
//! stranger's. Separate from the decoder, which only keeps many of these.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::avro::{At, NodeId, ReadProblem, Reader, Resolution, Shape, Shapes, TimeUnit};
use crate::layout::{self, Layout};
use crate::{Envelope, member_name};

/// A schema that values were written by.
pub(crate) struct Writer {
    shapes: Shapes,
    /// The members of `data`; one, where it is no union; none, where there is no such field.
    branches: Vec<NodeId>,
    ours: bool,
    plans: RwLock<HashMap<String, Arc<Plan>>>,
}

/// How each member of the writer's `data` is read as one topic's contract has it.
pub(crate) struct Plan {
    contract: Arc<Layout>,
    steps: HashMap<NodeId, Step>,
}

/// What has not been read of an opened value.
pub(crate) enum Rest<'a> {
    /// Its data: a member of the union.
    Data { reader: Reader<'a>, branch: NodeId },
    /// A stranger's fields come in any order, so all of them were read.
    Nothing,
}

#[derive(Clone, Copy)]
enum Step {
    /// The same on both sides, or unknown on ours.
    AsWritten,
    /// To be read as this node of the contract.
    Resolve(NodeId),
}

type ReadResult<T> = Result<T, At<ReadProblem>>;

impl Writer {
    pub(crate) fn new(shapes: Shapes) -> Self {
        let (branches, ours) = match layout::members(&shapes) {
            Ok((branches, _)) => (branches, true),
            Err(_) => (strangers_members(&shapes), false),
        };
        Self { shapes, branches, ours, plans: RwLock::default() }
    }

    /// The plan for a topic, made at its first message.
    pub(crate) fn plan(&self, topic: &str, contract: &Arc<Layout>) -> Arc<Plan> {
        if let Some(plan) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            return Arc::clone(plan);
        }
        let steps = self.branches.iter().map(|node| (*node, self.step(*node, contract))).collect();
        let plan = Arc::new(Plan { contract: Arc::clone(contract), steps });
        self.plans.write().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), Arc::clone(&plan));
        plan
    }

    fn step(&self, node: NodeId, contract: &Layout) -> Step {
        let ours = self.shapes.record(node).and_then(|record| contract.members.get(record.simple_name()));
        match ours {
            Some((_, ours)) if !self.shapes.same(node, &contract.shapes, *ours) => Step::Resolve(*ours),
            _ => Step::AsWritten,
        }
    }

    /// The envelope as far as its data, which are left for [`Writer::finish`]: at the end, and most of the work.
    pub(crate) fn open<'a>(&self, bytes: &'a [u8], plan: Option<&Plan>) -> ReadResult<(Envelope, Rest<'a>)> {
        let mut reader = Reader::new(bytes);
        if self.ours {
            let (heading, branch) = self.ours(&mut reader, plan)?;
            return Ok((heading, Rest::Data { reader, branch }));
        }
        let envelope = self.strangers(&mut reader, plan)?;
        reader.finish()?;
        Ok((envelope, Rest::Nothing))
    }

    /// The rest of what was opened, in its place.
    pub(crate) fn finish(&self, envelope: &mut Envelope, rest: Rest<'_>, plan: Option<&Plan>) -> ReadResult<()> {
        if let Rest::Data { mut reader, branch } = rest {
            envelope.data = self.data(&mut reader, branch, plan)?;
            reader.finish()?;
        }
        Ok(())
    }

    /// The fields in the order that [`Layout`] checked, and the member that the data are.
    fn ours(&self, reader: &mut Reader<'_>, plan: Option<&Plan>) -> ReadResult<(Envelope, NodeId)> {
        let event_id = uuid(reader).map_err(|error| error.in_field("event_id"))?;
        let event_type = reader.text().map_err(|error| error.in_field("event_type"))?.to_owned();
        let event_version = reader.int().map_err(|error| error.in_field("event_version"))?;
        let aggregate_id = reader.text().map_err(|error| error.in_field("aggregate_id"))?.to_owned();
        let aggregate_type = reader.text().map_err(|error| error.in_field("aggregate_type"))?.to_owned();
        let occurred_at = reader.instant(TimeUnit::Micros).map_err(|error| error.in_field("occurred_at"))?;
        let correlation_id = uuid(reader).map_err(|error| error.in_field("correlation_id"))?;
        let causation_id = optional(reader, uuid).map_err(|error| error.in_field("causation_id"))?;
        let user_id =
            optional(reader, |reader| Ok(reader.text()?.to_owned())).map_err(|error| error.in_field("user_id"))?;
        let metadata = metadata(reader).map_err(|error| error.in_field("metadata"))?;
        let branch = reader.branch(&self.branches).map_err(|error| error.in_field("data"))?;
        self.fits(branch, &event_type, event_version, plan).map_err(|error| error.in_field("data"))?;
        let heading = Envelope {
            event_id,
            event_type,
            event_version,
            aggregate_id,
            aggregate_type,
            occurred_at,
            correlation_id,
            causation_id,
            user_id,
            metadata,
            data: Value::Null,
        };
        Ok((heading, branch))
    }

    /// Whatever fields the writer has, in its order; ours are picked out afterwards.
    fn strangers(&self, reader: &mut Reader<'_>, plan: Option<&Plan>) -> ReadResult<Envelope> {
        let no_envelope = |why: &str| At::from(ReadProblem::NoEnvelope { why: why.to_owned() });
        let record = self.shapes.record(self.shapes.root()).ok_or_else(|| no_envelope("the schema is no record"))?;
        let mut fields = Map::new();
        let mut written = None;
        for field in &record.fields {
            let value = if field.name == "data" {
                let branch = match self.shapes.shape(field.node) {
                    Shape::Union(branches) => reader.branch(branches).map_err(|error| error.in_field("data"))?,
                    _ => field.node,
                };
                written = Some(branch);
                self.data(reader, branch, plan)?
            } else {
                reader.value(&self.shapes, field.node).map_err(|error| error.in_field(&field.name))?
            };
            fields.insert(field.name.clone(), value);
        }
        as_micros(&mut fields);
        // Null is how many say that they have nothing to say.
        fields.retain(|name, value| name == "data" || !value.is_null());
        let envelope: Envelope =
            serde_json::from_value(Value::Object(fields)).map_err(|error| no_envelope(&error.to_string()))?;
        if let Some(branch) = written {
            self.fits(branch, &envelope.event_type, envelope.event_version, plan)
                .map_err(|error| error.in_field("data"))?;
        }
        Ok(envelope)
    }

    fn data(&self, reader: &mut Reader<'_>, branch: NodeId, plan: Option<&Plan>) -> ReadResult<Value> {
        let step = plan.and_then(|plan| Some((plan, plan.steps.get(&branch)?)));
        match step {
            Some((plan, Step::Resolve(ours))) => {
                let resolution = Resolution { writer: &self.shapes, reader: &plan.contract.shapes };
                resolution.read(reader, branch, *ours)
            }
            _ => reader.value(&self.shapes, branch),
        }
        .map_err(|error| error.in_field("data"))
    }

    /// On our own topics the member that was written must be the one that the envelope speaks of.
    fn fits(&self, branch: NodeId, event_type: &str, event_version: i32, plan: Option<&Plan>) -> ReadResult<()> {
        let written = self.shapes.record(branch).map_or("", |record| record.simple_name());
        let expected: Cow<'_, str> = match event_version {
            1 => event_type.into(),
            version => member_name(event_type, version).into(),
        };
        if plan.is_none() || written == expected {
            return Ok(());
        }
        Err(ReadProblem::OtherMember { written: written.to_owned(), expected: expected.into_owned() }.into())
    }
}

fn strangers_members(shapes: &Shapes) -> Vec<NodeId> {
    let data = shapes.record(shapes.root()).and_then(|record| record.fields.iter().find(|field| field.name == "data"));
    match data.map(|field| (field.node, shapes.shape(field.node))) {
        Some((_, Shape::Union(branches))) => branches.clone(),
        Some((node, _)) => vec![node],
        None => Vec::new(),
    }
}

/// A writer without logical types sends a plain number of microseconds.
fn as_micros(fields: &mut Map<String, Value>) {
    let time = fields
        .get("occurred_at")
        .and_then(Value::as_i64)
        .and_then(|micros| crate::avro::instant(TimeUnit::Micros, micros));
    if let Some(time) = time {
        fields.insert("occurred_at".to_owned(), Value::String(time.to_rfc3339()));
    }
}

fn uuid(reader: &mut Reader<'_>) -> ReadResult<Uuid> {
    Uuid::parse_str(reader.text()?).map_err(|_| ReadProblem::Uuid.into())
}

fn optional<T>(reader: &mut Reader<'_>, read: impl FnOnce(&mut Reader<'_>) -> ReadResult<T>) -> ReadResult<Option<T>> {
    match reader.long()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        index => Err(ReadProblem::NoMember { index }.into()),
    }
}

fn metadata(reader: &mut Reader<'_>) -> ReadResult<BTreeMap<String, String>> {
    let mut metadata = BTreeMap::new();
    reader.blocks(|reader| {
        let key = reader.text()?.to_owned();
        metadata.insert(key, reader.text()?.to_owned());
        Ok(())
    })?;
    Ok(metadata)
}
