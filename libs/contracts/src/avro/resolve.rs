//! Reading what another schema wrote as ours: Avro's schema resolution. Separate from plain reading, which most
//! messages need alone. Members of unions are matched by name, as the specification has it, never by looking alike.

use serde_json::{Map, Value};

use super::path::At;
use super::read::{ReadProblem, ReadResult, Reader, digits, instant};
use super::shape::{Field, NodeId, RecordShape, Shape, Shapes, TimeUnit, simple_name};

/// Parts that one default may have: a record whose default holds itself would have no end.
const DEFAULT_PARTS_MAX: usize = 1_000;

/// A schema's default, which is in the schema's JSON (bytes as text, unions as their first fitting member, instants as
/// numbers), as the value that reading would give.
pub(super) fn from_default(shapes: &Shapes, node: NodeId, default: &Value) -> Option<Value> {
    let mut budget = DEFAULT_PARTS_MAX;
    translated(shapes, node, default, &mut budget)
}

fn translated(shapes: &Shapes, node: NodeId, default: &Value, budget: &mut usize) -> Option<Value> {
    *budget = budget.checked_sub(1)?;
    let same = || Some(default.clone());
    match (shapes.shape(node), default) {
        (Shape::Null, Value::Null) | (Shape::Boolean, Value::Bool(_)) => same(),
        (Shape::Int, Value::Number(number)) => {
            number.as_i64().filter(|n| i32::try_from(*n).is_ok()).and_then(|_| same())
        }
        (Shape::Long, Value::Number(number)) => number.as_i64().and_then(|_| same()),
        (Shape::Float | Shape::Double, Value::Number(number)) => number.as_f64().map(Value::from),
        (Shape::String | Shape::Bytes | Shape::Fixed { .. }, Value::String(_)) => same(),
        (Shape::Instant(unit), Value::Number(number)) => {
            instant(*unit, number.as_i64()?).map(|at| Value::String(at.to_rfc3339_opts(digits(*unit), true)))
        }
        (Shape::Enum { symbols, .. }, Value::String(symbol)) => symbols.contains(symbol).then(|| default.clone()),
        (Shape::Array(items), Value::Array(elements)) => {
            let elements = elements.iter().map(|element| translated(shapes, *items, element, budget));
            elements.collect::<Option<_>>().map(Value::Array)
        }
        (Shape::Map(values), Value::Object(entries)) => entries
            .iter()
            .map(|(key, entry)| Some((key.clone(), translated(shapes, *values, entry, budget)?)))
            .collect::<Option<_>>()
            .map(Value::Object),
        (Shape::Union(branches), _) => branches.iter().find_map(|branch| translated(shapes, *branch, default, budget)),
        (Shape::Record(record), Value::Object(given)) => default_record(shapes, record, given, budget),
        _ => None,
    }
}

fn default_record(
    shapes: &Shapes,
    record: &RecordShape,
    given: &Map<String, Value>,
    budget: &mut usize,
) -> Option<Value> {
    let mut value = |field: &Field| {
        let default = given.get(&field.name).or(field.default.as_ref())?;
        Some((field.name.clone(), translated(shapes, field.node, default, budget)?))
    };
    record.fields.iter().map(&mut value).collect::<Option<_>>().map(Value::Object)
}

/// A writer's schema beside a reader's.
pub(crate) struct Resolution<'s> {
    pub(crate) writer: &'s Shapes,
    pub(crate) reader: &'s Shapes,
}

impl Resolution<'_> {
    /// Reads what the writer's node wrote as the reader's node.
    pub(crate) fn read(&self, bytes: &mut Reader<'_>, w: NodeId, r: NodeId) -> ReadResult<Value> {
        bytes.descend()?;
        let value = self.read_here(bytes, w, r)?;
        bytes.ascend();
        Ok(value)
    }

    fn read_here(&self, bytes: &mut Reader<'_>, w: NodeId, r: NodeId) -> ReadResult<Value> {
        match (self.writer.shape(w), self.reader.shape(r)) {
            (Shape::Union(branches), _) => {
                let branch = bytes.branch(branches)?;
                self.read(bytes, branch, r)
            }
            (_, Shape::Union(branches)) => match self.reader_branch(w, branches) {
                Some(branch) => self.read(bytes, w, branch),
                None => Err(self.incompatible(w, r)),
            },
            (Shape::Array(w), Shape::Array(r)) => bytes.array(|bytes| self.read(bytes, *w, *r)),
            (Shape::Map(w), Shape::Map(r)) => bytes.map(|bytes| self.read(bytes, *w, *r)),
            (Shape::Record(writer), Shape::Record(reader)) => self.record(bytes, writer, reader),
            (Shape::Enum { symbols, .. }, Shape::Enum { symbols: known, default, .. }) => {
                let symbol = bytes.symbol(symbols)?;
                let symbol = if known.iter().any(|k| k == symbol) { Some(symbol) } else { default.as_deref() };
                symbol.map(Value::from).ok_or_else(|| self.incompatible(w, r))
            }
            (writer, reader) => match promoted(writer, reader) {
                Some(shape) => {
                    let value = bytes.plain(shape)?;
                    Ok(if matches!(reader, Shape::Double | Shape::Float) { as_float(value) } else { value })
                }
                None => Err(self.incompatible(w, r)),
            },
        }
    }

    fn record(&self, bytes: &mut Reader<'_>, writer: &RecordShape, reader: &RecordShape) -> ReadResult<Value> {
        let mut values = Map::new();
        for written in &writer.fields {
            let wanted =
                reader.fields.iter().find(|field| field.name == written.name || field.aliases.contains(&written.name));
            let value = match wanted {
                Some(field) => self.read(bytes, written.node, field.node),
                None => bytes.value(self.writer, written.node),
            }
            .map_err(|error| error.in_field(&written.name))?;
            if let Some(field) = wanted {
                values.insert(field.name.clone(), value);
            }
        }
        for field in &reader.fields {
            if !values.contains_key(&field.name) {
                let default = field.default.clone();
                let value = default.ok_or_else(|| At::from(ReadProblem::Missing).in_field(&field.name))?;
                values.insert(field.name.clone(), value);
            }
        }
        Ok(Value::Object(values))
    }

    /// The reader's member that stands for the writer's type: the same name or type first, then one it widens to.
    fn reader_branch(&self, w: NodeId, branches: &[NodeId]) -> Option<NodeId> {
        let writer = self.writer.shape(w);
        let exact = branches.iter().find(|branch| alike(writer, self.reader.shape(**branch)));
        exact
            .or_else(|| branches.iter().find(|branch| promoted(writer, self.reader.shape(**branch)).is_some()))
            .copied()
    }

    fn incompatible(&self, w: NodeId, r: NodeId) -> At<ReadProblem> {
        let (writer, reader) = (named(self.writer.shape(w)), named(self.reader.shape(r)));
        ReadProblem::Incompatible { writer, reader }.into()
    }
}

fn alike(writer: &Shape, reader: &Shape) -> bool {
    match (writer, reader) {
        (Shape::Record(w), Shape::Record(r)) => w.simple_name() == r.simple_name(),
        (Shape::Enum { name: w, .. }, Shape::Enum { name: r, .. })
        | (Shape::Fixed { name: w, .. }, Shape::Fixed { name: r, .. }) => simple_name(w) == simple_name(r),
        (Shape::Array(_), Shape::Array(_)) | (Shape::Map(_), Shape::Map(_)) => true,
        (writer, reader) => writer == reader,
    }
}

/// As what the bytes are to be read, if the reader's type is the writer's or wider.
fn promoted<'s>(writer: &'s Shape, reader: &'s Shape) -> Option<&'s Shape> {
    let allowed = match (writer, reader) {
        (Shape::Int, Shape::Long | Shape::Float | Shape::Double)
        | (Shape::Long, Shape::Float | Shape::Double)
        | (Shape::Float, Shape::Double)
        | (Shape::Instant(_), Shape::Instant(_)) => true,
        // Instants are longs on the wire; which of the two sides knows it decides.
        (Shape::Int | Shape::Long, Shape::Instant(_)) => return Some(reader),
        (Shape::Instant(_), Shape::Long) | (Shape::Bytes, Shape::String) | (Shape::String, Shape::Bytes) => {
            return Some(reader);
        }
        (Shape::Fixed { size: w, .. }, Shape::Fixed { size: r, .. }) => w == r,
        (Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Record(_) | Shape::Enum { .. }, _) => false,
        (writer, reader) => writer == reader,
    };
    allowed.then_some(writer)
}

fn as_float(value: Value) -> Value {
    value.as_f64().map_or(value, Value::from)
}

fn named(shape: &Shape) -> String {
    match shape {
        Shape::Record(record) => format!("record `{}`", record.name),
        Shape::Enum { name, .. } => format!("enum `{name}`"),
        Shape::Fixed { name, .. } => format!("fixed `{name}`"),
        Shape::Array(_) => "array".into(),
        Shape::Map(_) => "map".into(),
        Shape::Union(_) => "union".into(),
        Shape::Instant(TimeUnit::Millis) => "timestamp-millis".into(),
        Shape::Instant(TimeUnit::Micros) => "timestamp-micros".into(),
        Shape::Instant(TimeUnit::Nanos) => "timestamp-nanos".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_look_alike_are_told_apart_by_name() {
        let record = |name: &str, default: &str| {
            format!(
                r#"{{"type": "record", "name": "{name}", "fields": [
                    {{"name": "x", "type": "int"}}, {{"name": "of", "type": "string", "default": "{default}"}}
                ]}}"#
            )
        };
        let reader = Shapes::parse(&format!("[{}, {}]", record("Cup", "cup"), record("Pot", "pot"))).unwrap();
        let writer = r#"[{"type": "record", "name": "Pot", "fields": [{"name": "x", "type": "int"}]}, "null"]"#;
        let writer = Shapes::parse(writer).unwrap();
        let resolution = Resolution { writer: &writer, reader: &reader };
        let read = resolution.read(&mut Reader::new(&[0, 14]), writer.root(), reader.root()).unwrap();
        assert_eq!(read, serde_json::json!({ "x": 7, "of": "pot" }));
        let none = resolution.read(&mut Reader::new(&[2]), writer.root(), reader.root()).unwrap_err();
        assert_eq!(none.problem.to_string(), "the writer's null cannot be read as union");
    }
}
