//! Values to bytes, by a schema. Separate from reading: it trusts the schema, which is ours, and doubts the value.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::path::At;
use super::read::readable;
use super::shape::{Field, NodeId, Shape, Shapes, TimeUnit};

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteProblem {
    #[error("{expected} is expected, not {found}")]
    Type { expected: String, found: String },
    #[error("it is missing")]
    Missing,
    #[error("`{record}` has no such field")]
    UnknownField { record: String },
}

type Written = Result<(), At<WriteProblem>>;

/// Appends the value. On error, what was appended so far is to be thrown away.
pub(crate) fn write(shapes: &Shapes, node: NodeId, value: &Value, out: &mut Vec<u8>) -> Written {
    match (shapes.shape(node), value) {
        (Shape::Array(items), Value::Array(elements)) => write_array(shapes, *items, elements, out),
        (Shape::Map(values), Value::Object(entries)) => {
            begin_block(entries.len(), out);
            for (key, entry) in entries {
                write_bytes(key.as_bytes(), out);
                write(shapes, *values, entry, out).map_err(|error| error.in_field(key))?;
            }
            out.push(0);
            Ok(())
        }
        (Shape::Record(record), Value::Object(fields)) => write_record(shapes, record, fields, out),
        (Shape::Union(branches), _) => write_union(shapes, branches, value, out),
        (shape, _) => write_plain(shape, value, out),
    }
}

/// A value of a type without parts.
fn write_plain(shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Written {
    match (shape, value) {
        (Shape::Null, Value::Null) => {}
        (Shape::Boolean, Value::Bool(flag)) => out.push(u8::from(*flag)),
        (Shape::Int, Value::Number(number)) => match number.as_i64().filter(|n| i32::try_from(*n).is_ok()) {
            Some(int) => write_long(int, out),
            None => return mismatch("an int", value),
        },
        (Shape::Long, Value::Number(number)) => match number.as_i64() {
            Some(long) => write_long(long, out),
            None => return mismatch("a long", value),
        },
        (Shape::Float | Shape::Double, Value::Number(_)) => return write_float(shape, value, out),
        (Shape::String, Value::String(text)) => write_bytes(text.as_bytes(), out),
        (Shape::Instant(unit), Value::String(text)) => return write_instant(*unit, text, value, out),
        (Shape::Bytes | Shape::Fixed { .. }, Value::String(text)) => return write_binary(shape, text, value, out),
        (Shape::Enum { symbols, .. }, Value::String(symbol)) => match symbols.iter().position(|s| s == symbol) {
            Some(index) => write_index(index, out),
            None => return mismatch(described(shape), value),
        },
        _ => return mismatch(described(shape), value),
    }
    Ok(())
}

fn write_record(
    shapes: &Shapes,
    record: &super::RecordShape,
    values: &serde_json::Map<String, Value>,
    out: &mut Vec<u8>,
) -> Written {
    let mut known = 0;
    for field in &record.fields {
        let value = match values.get(&field.name) {
            Some(value) => {
                known += 1;
                value
            }
            None => default_of(field)?,
        };
        write(shapes, field.node, value, out).map_err(|error| error.in_field(&field.name))?;
    }
    if known < values.len() {
        let stranger = values.keys().find(|key| record.fields.iter().all(|field| field.name != **key));
        let problem = WriteProblem::UnknownField { record: record.simple_name().to_owned() };
        return Err(At::from(problem).in_field(stranger.map_or("", String::as_str)));
    }
    Ok(())
}

fn default_of(field: &Field) -> Result<&Value, At<WriteProblem>> {
    field.default.as_ref().ok_or_else(|| At::from(WriteProblem::Missing).in_field(&field.name))
}

fn write_array(shapes: &Shapes, items: NodeId, elements: &[Value], out: &mut Vec<u8>) -> Written {
    begin_block(elements.len(), out);
    for (index, element) in elements.iter().enumerate() {
        write(shapes, items, element, out).map_err(|error| error.in_element(index))?;
    }
    out.push(0);
    Ok(())
}

/// The first branch that fits. With one branch beside null its own error is the one worth reading.
fn write_union(shapes: &Shapes, branches: &[NodeId], value: &Value, out: &mut Vec<u8>) -> Written {
    let is_null = |node: &NodeId| matches!(shapes.shape(*node), Shape::Null);
    let fits = |node: &&NodeId| is_null(node) == value.is_null();
    let candidates = branches.iter().filter(fits).count();
    let start = out.len();
    for (index, branch) in branches.iter().enumerate() {
        if is_null(branch) != value.is_null() {
            continue;
        }
        write_index(index, out);
        match write(shapes, *branch, value, out) {
            Err(error) if candidates == 1 => return Err(error),
            Err(_) => out.truncate(start),
            Ok(()) => return Ok(()),
        }
    }
    mismatch("one of the union's types", value)
}

fn write_float(shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Written {
    let Some(number) = value.as_f64() else { return mismatch("a number", value) };
    if matches!(shape, Shape::Float) {
        #[expect(clippy::cast_possible_truncation, reason = "a float is what the schema asks for")]
        out.extend_from_slice(&(number as f32).to_le_bytes());
    } else {
        out.extend_from_slice(&number.to_le_bytes());
    }
    Ok(())
}

/// Finer digits than the unit has are cut, towards the past.
fn write_instant(unit: TimeUnit, text: &str, value: &Value, out: &mut Vec<u8>) -> Written {
    let Ok(instant) = DateTime::parse_from_rfc3339(text) else { return mismatch("an RFC 3339 time", value) };
    let instant = instant.with_timezone(&Utc);
    if !readable(instant) {
        return mismatch("a time in the years 0 to 9999", value);
    }
    let count = match unit {
        TimeUnit::Millis => instant.timestamp_millis(),
        TimeUnit::Micros => instant.timestamp_micros(),
        TimeUnit::Nanos => match instant.timestamp_nanos_opt() {
            Some(nanos) => nanos,
            None => return mismatch("a time between 1678 and 2261", value),
        },
    };
    write_long(count, out);
    Ok(())
}

/// Bytes are, as in Avro's own JSON, a text of the characters U+0000 to U+00FF.
fn write_binary(shape: &Shape, text: &str, value: &Value, out: &mut Vec<u8>) -> Written {
    let Ok(bytes) = text.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>() else {
        return mismatch("a text of characters up to U+00FF", value);
    };
    match shape {
        Shape::Fixed { size, .. } if bytes.len() != *size => return mismatch(format!("{size} bytes"), value),
        Shape::Fixed { .. } => out.extend_from_slice(&bytes),
        _ => write_bytes(&bytes, out),
    }
    Ok(())
}

/// Everything in one block; the zero that ends the blocks is the caller's to write.
fn begin_block(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        write_index(count, out);
    }
}

fn write_index(index: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(index).unwrap_or(i64::MAX), out);
}

/// Length, then the bytes.
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_index(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Zigzag, then seven bits a byte.
pub(crate) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

fn mismatch(expected: impl Into<String>, found: &Value) -> Written {
    let mut found = found.to_string();
    if found.chars().count() > 64 {
        found = found.chars().take(63).chain(['…']).collect();
    }
    Err(At::from(WriteProblem::Type { expected: expected.into(), found }))
}

fn described(shape: &Shape) -> String {
    match shape {
        Shape::Null => "null".into(),
        Shape::Boolean => "a boolean".into(),
        Shape::Int => "an int".into(),
        Shape::Long => "a long".into(),
        Shape::Float | Shape::Double => "a number".into(),
        Shape::Bytes | Shape::Fixed { .. } => "a text of bytes".into(),
        Shape::String => "a text".into(),
        Shape::Instant(_) => "an RFC 3339 time".into(),
        Shape::Enum { symbols, .. } => format!("one of {}", symbols.join(", ")),
        Shape::Array(_) => "an array".into(),
        Shape::Map(_) => "an object".into(),
        Shape::Union(_) => "one of the union's types".into(),
        Shape::Record(record) => format!("an object ({})", record.simple_name()),
    }
}
