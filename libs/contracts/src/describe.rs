//! What the messages of a topic hold, for programs that reason about messages without having one: names, types, what may
//! be left out. Separate from the codec, which needs the same schema in the form that bytes want.

use std::collections::HashMap;
use std::sync::Arc;

use crate::SchemaError;
use crate::avro::{NodeId, Shape, Shapes};
use crate::layout::members;

/// What a value may be, as JSON has it once it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataType {
    /// Null.
    Null,
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// A text; bytes are one too.
    Text,
    /// A text that is an RFC 3339 time.
    Instant,
    /// One of these texts.
    Symbols(Arc<[String]>),
    /// A list.
    List(Arc<DataType>),
    /// A record with any names.
    Map(Arc<DataType>),
    /// One of several.
    Union(Vec<DataType>),
    /// A record.
    Record(Arc<RecordType>),
    /// A record that holds itself, seen from inside.
    Recursive,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordType {
    /// Its name, without namespace.
    pub name: String,
    /// Its fields, in the schema's order.
    pub fields: Vec<FieldType>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldType {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub data: DataType,
    /// Whether a writer may leave it out, since it has a default.
    pub has_default: bool,
}

/// The messages in a topic's schema, in the order of the union. Their names have the version, as in `OrderPlacedV3`.
///
/// # Errors
/// [`SchemaError`] if the text is no schema, or not one of an envelope as ours.
pub fn messages_of(schema: &str) -> Result<Vec<Arc<RecordType>>, SchemaError> {
    let shapes = Shapes::parse(schema)?;
    let (union, _) = members(&shapes)?;
    let mut description = Description { shapes: &shapes, known: HashMap::new() };
    let described = union.iter().map(|node| description.data(*node)).collect::<Vec<_>>();
    let records = described.into_iter().filter_map(|data| match data {
        DataType::Record(record) => Some(record),
        _ => None,
    });
    Ok(records.collect())
}

struct Description<'s> {
    shapes: &'s Shapes,
    /// Records by node; `None` for those that are being described.
    known: HashMap<NodeId, Option<Arc<RecordType>>>,
}

impl Description<'_> {
    fn data(&mut self, node: NodeId) -> DataType {
        match self.shapes.shape(node) {
            Shape::Null => DataType::Null,
            Shape::Boolean => DataType::Boolean,
            Shape::Int => DataType::Int,
            Shape::Long => DataType::Long,
            Shape::Float | Shape::Double => DataType::Double,
            Shape::Bytes | Shape::String | Shape::Fixed { .. } => DataType::Text,
            Shape::Instant(_) => DataType::Instant,
            Shape::Enum { symbols, .. } => DataType::Symbols(symbols.clone().into()),
            Shape::Array(items) => DataType::List(Arc::new(self.data(*items))),
            Shape::Map(values) => DataType::Map(Arc::new(self.data(*values))),
            Shape::Union(branches) => DataType::Union(branches.iter().map(|branch| self.data(*branch)).collect()),
            Shape::Record(record) => match self.known.get(&node) {
                Some(Some(known)) => DataType::Record(Arc::clone(known)),
                Some(None) => DataType::Recursive,
                None => {
                    self.known.insert(node, None);
                    let fields = record.fields.iter().map(|field| FieldType {
                        name: field.name.clone(),
                        data: self.data(field.node),
                        has_default: field.default.is_some(),
                    });
                    let fields = fields.collect();
                    let record = Arc::new(RecordType { name: record.simple_name().to_owned(), fields });
                    self.known.insert(node, Some(Arc::clone(&record)));
                    DataType::Record(record)
                }
            },
        }
    }
}
