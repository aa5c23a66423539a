//! The schemas of topics as the shapes that saga definitions are checked against.
//!
//! Separate because the engine knows no Avro and the messages know no sagas: here the two are introduced, for the
//! orchestrator and for the command line tool alike.

mod folder;

use std::sync::Arc;

use backstitch_contracts::describe::{DataType, RecordType, messages_of};
use backstitch_contracts::{Catalog, SchemaError, upcast};
use backstitch_saga::check::{Field, Record, Shape, Shapes};

pub use folder::{FolderError, add_folder};

/// The shapes of every topic of the catalog.
///
/// # Errors
/// [`SchemaError`] if a topic's schema is none.
pub fn shapes_of(catalog: &Catalog) -> Result<Shapes, SchemaError> {
    let mut shapes = Shapes::default();
    for topic in catalog.topics() {
        if let Some(schema) = &topic.schema {
            add_topic(&mut shapes, &topic.name, schema)?;
        }
    }
    Ok(shapes)
}

/// Adds a topic by its schema, as the registry has it.
///
/// # Errors
/// [`SchemaError`] if the text is no schema, or not one of an envelope as ours.
pub fn add_topic(shapes: &mut Shapes, topic: &str, schema: &str) -> Result<(), SchemaError> {
    let members = messages_of(schema)?;
    let messages = shapes.topic_mut(topic);
    for member in &members {
        let record = record(member);
        let (message_type, version) = type_and_version(&member.name, &members);
        messages.add(message_type, version, record, !upcast::is_upcast(message_type, version));
    }
    Ok(())
}

/// `OrderPlacedV3` is version 3 of `OrderPlaced`, if the topic has an `OrderPlaced` at all.
fn type_and_version<'n>(member: &'n str, members: &[Arc<RecordType>]) -> (&'n str, i32) {
    let versioned = member.rsplit_once('V').and_then(|(name, version)| Some((name, version.parse::<i32>().ok()?)));
    match versioned {
        Some((name, version)) if version > 1 && members.iter().any(|other| other.name == name) => (name, version),
        _ => (member, 1),
    }
}

fn record(described: &RecordType) -> Arc<Record> {
    let fields = described.fields.iter().map(|field| Field {
        name: field.name.clone(),
        shape: shape(&field.data),
        optional: field.has_default,
    });
    Arc::new(Record { name: Some(described.name.clone()), fields: fields.collect() })
}

fn shape(data: &DataType) -> Shape {
    match data {
        DataType::Null => Shape::Null,
        DataType::Boolean => Shape::Bool,
        DataType::Int => Shape::Int,
        DataType::Long => Shape::Long,
        DataType::Double => Shape::Double,
        DataType::Text => Shape::Text,
        DataType::Instant => Shape::Time,
        DataType::Symbols(symbols) => Shape::Symbols(Arc::clone(symbols)),
        DataType::List(items) => Shape::List(Arc::new(shape(items))),
        DataType::Map(values) => Shape::Map(Arc::new(shape(values))),
        DataType::Union(all) => Shape::one_of(all.iter().map(shape)),
        DataType::Record(inner) => Shape::Record(record(inner)),
        DataType::Recursive => Shape::Any,
    }
}
