//! The envelope's place in a schema: which fields come in which order. Separate, because encoder and decoder both go by
//! it, the one always, the other where the writer's envelope is the same as ours.

use std::collections::HashMap;

use crate::avro::{NodeId, SchemaError, Shape, Shapes, TimeUnit};

/// A schema whose envelope is exactly ours, and the members of its `data`.
pub(crate) struct Layout {
    pub(crate) shapes: Shapes,
    /// The members by name, without namespace: position in the union, and node.
    pub(crate) members: HashMap<String, (usize, NodeId)>,
}

impl Layout {
    pub(crate) fn parse(text: &str) -> Result<Self, SchemaError> {
        let shapes = Shapes::parse(text)?;
        let (_, members) = members(&shapes)?;
        Ok(Self { shapes, members })
    }
}

type Members = (Vec<NodeId>, HashMap<String, (usize, NodeId)>);

/// The members of `data`, if the envelope is ours field by field.
pub(crate) fn members(shapes: &Shapes) -> Result<Members, SchemaError> {
    let (name, fields) = match shapes.record(shapes.root()) {
        Some(record) => (record.name.clone(), record.fields.as_slice()),
        None => (String::from("?"), Default::default()),
    };
    let differs = |reason: String| SchemaError::NotAnEnvelope { name: name.clone(), reason };
    if fields.len() != FIELDS.len() + 1 {
        return Err(differs(format!("it has {} fields, not {}", fields.len(), FIELDS.len() + 1)));
    }
    for (field, (expected, fits)) in fields.iter().zip(FIELDS) {
        if field.name != *expected {
            return Err(differs(format!("it has a field `{}` where `{expected}` belongs", field.name)));
        }
        if !fits(shapes, field.node) {
            return Err(differs(format!("its field `{expected}` is of another type")));
        }
    }
    let union = match fields.last().map(|field| (field.name.as_str(), shapes.shape(field.node))) {
        Some(("data", Shape::Union(branches))) => branches.clone(),
        _ => return Err(differs("its last field is no union called `data`".to_owned())),
    };
    let mut members = HashMap::new();
    for (index, node) in union.iter().enumerate() {
        let record = shapes.record(*node).ok_or_else(|| differs("`data` holds more than records".to_owned()))?;
        if members.insert(record.simple_name().to_owned(), (index, *node)).is_some() {
            return Err(differs(format!("`data` holds `{}` twice", record.simple_name())));
        }
    }
    Ok((union, members))
}

/// What a field's type must be.
type Fits = fn(&Shapes, NodeId) -> bool;

/// The fields before `data`, in wire order.
const FIELDS: &[(&str, Fits)] = &[
    ("event_id", text),
    ("event_type", text),
    ("event_version", int),
    ("aggregate_id", text),
    ("aggregate_type", text),
    ("occurred_at", micros),
    ("correlation_id", text),
    ("causation_id", optional_text),
    ("user_id", optional_text),
    ("metadata", text_map),
];

fn text(shapes: &Shapes, node: NodeId) -> bool {
    matches!(shapes.shape(node), Shape::String)
}

fn int(shapes: &Shapes, node: NodeId) -> bool {
    matches!(shapes.shape(node), Shape::Int)
}

fn micros(shapes: &Shapes, node: NodeId) -> bool {
    matches!(shapes.shape(node), Shape::Instant(TimeUnit::Micros))
}

fn optional_text(shapes: &Shapes, node: NodeId) -> bool {
    match shapes.shape(node) {
        Shape::Union(branches) => match branches.as_slice() {
            [null, some] => matches!(shapes.shape(*null), Shape::Null) && text(shapes, *some),
            _ => false,
        },
        _ => false,
    }
}

fn text_map(shapes: &Shapes, node: NodeId) -> bool {
    matches!(shapes.shape(node), Shape::Map(values) if text(shapes, *values))
}
