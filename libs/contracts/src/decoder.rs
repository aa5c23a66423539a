//! Bytes to envelopes. The bytes were written by anyone, by any schema that the registry knows; what comes out is as
//! our own schema has it, where we have one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::avro::{At, ReadProblem, SchemaError, Shapes};
use crate::framing::unframe;
use crate::layout::Layout;
use crate::writer::{Plan, Rest, Writer};
use crate::{Catalog, Envelope};

/// Reads the values of all topics.
pub struct Decoder {
    contracts: HashMap<String, Arc<Layout>>,
    writers: RwLock<HashMap<u32, Arc<Writer>>>,
}

/// A value of which only the heading was read: what whoever has no use for it need not pay for is left.
pub struct Opened<'a> {
    schema: u32,
    writer: Arc<Writer>,
    plan: Option<Arc<Plan>>,
    heading: Envelope,
    rest: Rest<'a>,
}

impl Opened<'_> {
    /// The envelope; its `data` may be null here, whatever they are.
    #[must_use]
    pub fn heading(&self) -> &Envelope {
        &self.heading
    }

    /// The whole envelope.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if its data are not what their schema says.
    pub fn finish(self) -> Result<Envelope, DecodeError> {
        let Self { schema, writer, plan, mut heading, rest } = self;
        writer.finish(&mut heading, rest, plan.as_deref()).map_err(|at| malformed(schema, &at))?;
        Ok(heading)
    }
}

/// Why bytes are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They do not begin with a zero and a schema id.
    #[error("the value does not begin with the magic byte and a schema id")]
    NotFramed,
    /// Their schema is not known yet: [`Decoder::learn`] it and try again.
    #[error("the schema {id} is not known")]
    UnknownSchema {
        /// The registry's id.
        id: u32,
    },
    /// They are not what their schema says, or their schema is no envelope.
    #[error("the value, of schema {schema}, is malformed at `{path}`: {problem}")]
    Malformed {
        /// The registry's id.
        schema: u32,
        /// Where; empty for the whole.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("topics", &self.contracts.len()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder that knows what the catalog's topics carry, and no writer's schema yet.
    ///
    /// # Errors
    /// [`SchemaError`] if a topic's schema is none.
    pub fn new(catalog: &Catalog) -> Result<Self, SchemaError> {
        let mut contracts = HashMap::new();
        for topic in catalog.topics() {
            if let Some(schema) = &topic.schema {
                contracts.insert(topic.name.clone(), Arc::new(Layout::parse(schema)?));
            }
        }
        Ok(Self { contracts, writers: RwLock::default() })
    }

    /// Takes in a writer's schema, as the registry has it.
    ///
    /// # Errors
    /// [`SchemaError`] if the text is no schema.
    pub fn learn(&self, id: u32, schema: &str) -> Result<(), SchemaError> {
        let writer = Arc::new(Writer::new(Shapes::parse(schema)?));
        self.writers.write().unwrap_or_else(PoisonError::into_inner).insert(id, writer);
        Ok(())
    }

    /// Whether the writer's schema of this id has been learnt.
    #[must_use]
    pub fn knows(&self, id: u32) -> bool {
        self.writer(id).is_some()
    }

    /// The envelope in a record's value.
    ///
    /// A member that our schema does not have (from a newer producer) is read as it was written; so is everything on a
    /// topic that the catalog does not have.
    ///
    /// # Errors
    /// [`DecodeError`]; only [`DecodeError::UnknownSchema`] is worth another try.
    pub fn decode(&self, topic: &str, bytes: &[u8]) -> Result<Envelope, DecodeError> {
        self.open(topic, bytes)?.finish()
    }

    /// The same in two steps, for whoever may find from the heading that the data are of no use.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn open<'a>(&self, topic: &str, bytes: &'a [u8]) -> Result<Opened<'a>, DecodeError> {
        let (id, data) = unframe(bytes).ok_or(DecodeError::NotFramed)?;
        let writer = self.writer(id).ok_or(DecodeError::UnknownSchema { id })?;
        let contract = self.contracts.get(topic);
        let plan = contract.map(|contract| writer.plan(topic, contract));
        let (heading, rest) = writer.open(data, plan.as_deref()).map_err(|at| malformed(id, &at))?;
        Ok(Opened { schema: id, writer, plan, heading, rest })
    }

    fn writer(&self, id: u32) -> Option<Arc<Writer>> {
        self.writers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

fn malformed(schema: u32, at: &At<ReadProblem>) -> DecodeError {
    DecodeError::Malformed { schema, path: at.path.to_string(), problem: at.problem.to_string() }
}
