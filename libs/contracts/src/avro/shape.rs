//! A schema as reading and writing need it: an arena of nodes with names resolved, so that neither looks anything up
//! and recursive schemas end.

use std::collections::{HashMap, HashSet};

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, Name, UuidSchema};
use serde_json::Value;

use super::resolve::from_default;

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no Avro.
    #[error("the schema is no avro schema")]
    Parse {
        /// What the parser said.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// A name is used that nothing defines.
    #[error("the schema uses the name `{name}`, which it does not define")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A default is not of its field's type, or spells out to more than a default may.
    #[error("the default of field `{field}` of `{record}` is not of the field's type, or too large")]
    Default {
        /// The record.
        record: String,
        /// The field.
        field: String,
    },
    /// The schema is not one of our topics'.
    #[error("the schema `{name}` is no envelope as ours: {reason}")]
    NotAnEnvelope {
        /// The schema's name.
        name: String,
        /// What differs.
        reason: String,
    },
}

/// Index of a node in its arena.
pub(crate) type NodeId = usize;

/// The unit of an instant on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Millis,
    Micros,
    Nanos,
}

/// One type of a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Instant(TimeUnit),
    Fixed { name: String, size: usize },
    Enum { name: String, symbols: Vec<String>, default: Option<String> },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(RecordShape),
}

/// A record: full name and fields in wire order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordShape {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

/// A field; its default already in the form that values have here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) node: NodeId,
    pub(crate) default: Option<Value>,
}

/// A compiled schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shapes {
    nodes: Vec<Shape>,
    root: NodeId,
}

/// The name without its namespace.
pub(crate) fn simple_name(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

impl RecordShape {
    /// The name without its namespace.
    pub(crate) fn simple_name(&self) -> &str {
        simple_name(&self.name)
    }
}

impl Shapes {
    /// Parses and compiles.
    pub(crate) fn parse(text: &str) -> Result<Self, SchemaError> {
        let schema = Schema::parse_str(text).map_err(|source| SchemaError::Parse { source: Box::new(source) })?;
        let mut compiler = Compiler::default();
        let root = compiler.node(&schema)?;
        let mut shapes = Self { nodes: compiler.nodes, root };
        shapes.translate_defaults()?;
        Ok(shapes)
    }

    /// The whole schema's node.
    pub(crate) const fn root(&self) -> NodeId {
        self.root
    }

    /// The node's shape. Ids come from this arena alone, so the fallback is never seen.
    pub(crate) fn shape(&self, node: NodeId) -> &Shape {
        self.nodes.get(node).unwrap_or(&Shape::Null)
    }

    /// The record at this node.
    pub(crate) fn record(&self, node: NodeId) -> Option<&RecordShape> {
        match self.shape(node) {
            Shape::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Whether two nodes, of one arena or two, read the same bytes into the same values.
    pub(crate) fn same(&self, node: NodeId, other: &Self, other_node: NodeId) -> bool {
        same(self, node, other, other_node, &mut HashSet::new())
    }

    /// Defaults are written in the schema's own JSON; here they are turned into the values that reading would give.
    fn translate_defaults(&mut self) -> Result<(), SchemaError> {
        let mut translated = Vec::new();
        for (id, shape) in self.nodes.iter().enumerate() {
            let Shape::Record(record) = shape else { continue };
            for (index, field) in record.fields.iter().enumerate() {
                let Some(default) = &field.default else { continue };
                let value = from_default(self, field.node, default)
                    .ok_or_else(|| SchemaError::Default { record: record.name.clone(), field: field.name.clone() })?;
                translated.push((id, index, value));
            }
        }
        for (id, index, value) in translated {
            if let Some(Shape::Record(record)) = self.nodes.get_mut(id)
                && let Some(field) = record.fields.get_mut(index)
            {
                field.default = Some(value);
            }
        }
        Ok(())
    }
}

/// Structural equality. A pair once seen is taken as equal: if it was not, the whole is not either; so recursion ends.
fn same(left: &Shapes, l: NodeId, right: &Shapes, r: NodeId, seen: &mut HashSet<(NodeId, NodeId)>) -> bool {
    if !seen.insert((l, r)) {
        return true;
    }
    match (left.shape(l), right.shape(r)) {
        (Shape::Array(a), Shape::Array(b)) | (Shape::Map(a), Shape::Map(b)) => same(left, *a, right, *b, seen),
        (Shape::Union(a), Shape::Union(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(left, *a, right, *b, seen))
        }
        (Shape::Record(a), Shape::Record(b)) => {
            a.name == b.name
                && a.fields.len() == b.fields.len()
                && a.fields
                    .iter()
                    .zip(&b.fields)
                    .all(|(a, b)| a.name == b.name && same(left, a.node, right, b.node, seen))
        }
        (Shape::Enum { symbols: a, .. }, Shape::Enum { symbols: b, .. }) => a == b,
        (Shape::Fixed { size: a, .. }, Shape::Fixed { size: b, .. }) => a == b,
        (a, b) => a == b && !matches!(a, Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Record(_)),
    }
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Shape>,
    named: HashMap<Name, NodeId>,
}

impl Compiler {
    fn node(&mut self, schema: &Schema) -> Result<NodeId, SchemaError> {
        match schema {
            Schema::Ref { name } => {
                self.named.get(name).copied().ok_or_else(|| SchemaError::UnknownName { name: name.to_string() })
            }
            Schema::Record(record) => self.record(record),
            Schema::Array(array) => {
                let items = self.node(&array.items)?;
                Ok(self.add(Shape::Array(items)))
            }
            Schema::Map(map) => {
                let values = self.node(&map.types)?;
                Ok(self.add(Shape::Map(values)))
            }
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.node(branch)).collect::<Result<_, _>>()?;
                Ok(self.add(Shape::Union(branches)))
            }
            Schema::Enum(shape) => {
                let node = self.add(Shape::Enum {
                    name: shape.name.to_string(),
                    symbols: shape.symbols.clone(),
                    default: shape.default.clone(),
                });
                self.named.insert(shape.name.clone(), node);
                Ok(node)
            }
            Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                Ok(self.fixed(&fixed.name, fixed.size))
            }
            Schema::Decimal(decimal) => Ok(match &decimal.inner {
                InnerDecimalSchema::Bytes => self.add(Shape::Bytes),
                InnerDecimalSchema::Fixed(fixed) => self.fixed(&fixed.name, fixed.size),
            }),
            plain => Ok(self.add(primitive(plain))),
        }
    }

    fn record(&mut self, record: &apache_avro::schema::RecordSchema) -> Result<NodeId, SchemaError> {
        // Its place is taken before its fields are looked at: a field may name the record itself.
        let node = self.add(Shape::Null);
        self.named.insert(record.name.clone(), node);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            fields.push(Field {
                name: field.name.clone(),
                aliases: field.aliases.clone(),
                node: self.node(&field.schema)?,
                default: field.default.clone(),
            });
        }
        if let Some(place) = self.nodes.get_mut(node) {
            *place = Shape::Record(RecordShape { name: record.name.to_string(), fields });
        }
        Ok(node)
    }

    fn fixed(&mut self, name: &Name, size: usize) -> NodeId {
        let node = self.add(Shape::Fixed { name: name.to_string(), size });
        self.named.insert(name.clone(), node);
        node
    }

    fn add(&mut self, shape: Shape) -> NodeId {
        self.nodes.push(shape);
        self.nodes.len() - 1
    }
}

/// Types without parts. Logical types that JSON has no word for are read as what they are on the wire.
fn primitive(schema: &Schema) -> Shape {
    match schema {
        Schema::Boolean => Shape::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Shape::Int,
        Schema::Long
        | Schema::TimeMicros
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Shape::Long,
        Schema::TimestampMillis => Shape::Instant(TimeUnit::Millis),
        Schema::TimestampMicros => Shape::Instant(TimeUnit::Micros),
        Schema::TimestampNanos => Shape::Instant(TimeUnit::Nanos),
        Schema::Float => Shape::Float,
        Schema::Double => Shape::Double,
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Shape::Bytes,
        Schema::String | Schema::Uuid(UuidSchema::String) => Shape::String,
        // Everything with parts is compiled above.
        _ => Shape::Null,
    }
}
