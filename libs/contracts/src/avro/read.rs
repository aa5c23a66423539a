//! Bytes to values, by the schema they were written with. Separate from writing: here the bytes are a stranger's.
//! Nothing is allocated beyond what the bytes can hold, and nothing they say makes it panic or run away.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde_json::{Map, Number, Value};

use super::path::At;
use super::shape::{NodeId, RecordShape, Shape, Shapes, TimeUnit};

/// How deep a value may nest.
const DEPTH_MAX: usize = 64;
/// Elements that may take no byte at all (an array of nulls), so that a small message stays a small value.
const FREE_ELEMENTS: usize = 65_536;

/// What is wrong with bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadProblem {
    #[error("the bytes end too early")]
    Truncated,
    #[error("{bytes} bytes are left over")]
    LeftOver { bytes: usize },
    #[error("a number is longer than its type")]
    Number,
    #[error("a length is negative")]
    NegativeLength,
    #[error("a boolean is neither 0 nor 1")]
    Boolean,
    #[error("a text is no UTF-8")]
    Utf8,
    #[error("the union has no member {index}")]
    NoMember { index: i64 },
    #[error("the enum has no symbol {index}")]
    NoSymbol { index: i64 },
    #[error("a time is outside the years 0 to 9999")]
    Time,
    #[error("a number is infinite or none")]
    NotFinite,
    #[error("it nests more than {DEPTH_MAX} levels deep")]
    Depth,
    #[error("it has more elements than its bytes explain")]
    Elements,
    #[error("the writer's {writer} cannot be read as {reader}")]
    Incompatible { writer: String, reader: String },
    #[error("it is missing, and has no default")]
    Missing,
    #[error("a text is no uuid")]
    Uuid,
    #[error("it is no envelope: {why}")]
    NoEnvelope { why: String },
    #[error("the envelope speaks of `{expected}`, the data is `{written}`")]
    OtherMember { written: String, expected: String },
}

pub(crate) type ReadResult<T> = Result<T, At<ReadProblem>>;

/// The bytes not read yet.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
    elements_left: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, elements_left: FREE_ELEMENTS + bytes.len(), depth: 0 }
    }

    /// Refuses bytes after the end.
    pub(crate) fn finish(&self) -> ReadResult<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(ReadProblem::LeftOver { bytes: self.rest.len() }.into()) }
    }

    /// Reads a value as it was written.
    pub(crate) fn value(&mut self, shapes: &Shapes, node: NodeId) -> ReadResult<Value> {
        self.descend()?;
        let value = match shapes.shape(node) {
            Shape::Array(items) => self.array(|reader| reader.value(shapes, *items)),
            Shape::Map(values) => self.map(|reader| reader.value(shapes, *values)),
            Shape::Union(branches) => {
                let branch = self.branch(branches)?;
                self.value(shapes, branch)
            }
            Shape::Record(record) => self.record(shapes, record),
            plain => self.plain(plain),
        }?;
        self.ascend();
        Ok(value)
    }

    /// Goes one level into a value. What fails leaves the reader useless anyway, so only success ascends again.
    pub(super) fn descend(&mut self) -> ReadResult<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(ReadProblem::Depth.into()) } else { Ok(()) }
    }

    pub(super) const fn ascend(&mut self) {
        self.depth -= 1;
    }

    fn record(&mut self, shapes: &Shapes, record: &RecordShape) -> ReadResult<Value> {
        let mut fields = Map::new();
        for field in &record.fields {
            let value = self.value(shapes, field.node).map_err(|error| error.in_field(&field.name))?;
            fields.insert(field.name.clone(), value);
        }
        Ok(Value::Object(fields))
    }

    /// A value of a type without parts.
    pub(super) fn plain(&mut self, shape: &Shape) -> ReadResult<Value> {
        Ok(match shape {
            Shape::Boolean => Value::Bool(self.boolean()?),
            Shape::Int => Value::from(self.int()?),
            Shape::Long => Value::from(self.long()?),
            Shape::Float => number(f64::from(f32::from_le_bytes(self.array_of()?)))?,
            Shape::Double => number(f64::from_le_bytes(self.array_of()?))?,
            Shape::Bytes => {
                let bytes = self.bytes()?;
                Value::String(bytes.iter().copied().map(char::from).collect())
            }
            Shape::Fixed { size, .. } => Value::String(self.take(*size)?.iter().copied().map(char::from).collect()),
            Shape::String => Value::String(self.text()?.to_owned()),
            Shape::Instant(unit) => {
                let instant = self.instant(*unit)?;
                Value::String(instant.to_rfc3339_opts(digits(*unit), true))
            }
            Shape::Enum { symbols, .. } => Value::String(self.symbol(symbols)?.to_owned()),
            Shape::Null | Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Record(_) => Value::Null,
        })
    }

    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> ReadResult<Value>) -> ReadResult<Value> {
        let mut elements = Vec::new();
        self.blocks(|reader| {
            let value = element(reader).map_err(|error| error.in_element(elements.len()))?;
            elements.push(value);
            Ok(())
        })?;
        Ok(Value::Array(elements))
    }

    pub(super) fn map(&mut self, mut entry: impl FnMut(&mut Self) -> ReadResult<Value>) -> ReadResult<Value> {
        let mut entries = Map::new();
        self.blocks(|reader| {
            let key = reader.text()?.to_owned();
            let value = entry(reader).map_err(|error| error.in_field(&key))?;
            entries.insert(key, value);
            Ok(())
        })?;
        Ok(Value::Object(entries))
    }

    /// Arrays and maps come in blocks: a count, its elements, and at last a zero. A negative count has its size in
    /// bytes behind it, which nobody here needs.
    pub(crate) fn blocks(&mut self, mut element: impl FnMut(&mut Self) -> ReadResult<()>) -> ReadResult<()> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                self.elements_left = self.elements_left.checked_sub(1).ok_or(ReadProblem::Elements)?;
                element(self)?;
            }
        }
    }

    /// The node of the member that was written.
    pub(crate) fn branch(&mut self, branches: &[NodeId]) -> ReadResult<NodeId> {
        let index = self.long()?;
        let branch = usize::try_from(index).ok().and_then(|index| branches.get(index)).copied();
        branch.ok_or_else(|| ReadProblem::NoMember { index }.into())
    }

    pub(super) fn symbol<'s>(&mut self, symbols: &'s [String]) -> ReadResult<&'s str> {
        let index = self.long()?;
        let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index)).map(String::as_str);
        symbol.ok_or_else(|| ReadProblem::NoSymbol { index }.into())
    }

    pub(crate) fn instant(&mut self, unit: TimeUnit) -> ReadResult<DateTime<Utc>> {
        let count = self.long()?;
        instant(unit, count).ok_or_else(|| ReadProblem::Time.into())
    }

    pub(crate) fn boolean(&mut self) -> ReadResult<bool> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(ReadProblem::Boolean.into()),
        }
    }

    pub(crate) fn int(&mut self) -> ReadResult<i32> {
        i32::try_from(self.long()?).map_err(|_| ReadProblem::Number.into())
    }

    pub(crate) fn long(&mut self) -> ReadResult<i64> {
        let mut bits = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            let part = u64::from(byte & 0x7f);
            if index == 9 && part > 1 {
                return Err(ReadProblem::Number.into());
            }
            bits |= part << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(if self.rest.len() < 10 { ReadProblem::Truncated } else { ReadProblem::Number }.into())
    }

    pub(crate) fn text(&mut self) -> ReadResult<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ReadProblem::Utf8.into())
    }

    pub(super) fn bytes(&mut self) -> ReadResult<&'a [u8]> {
        let length = self.long()?;
        if length < 0 {
            return Err(ReadProblem::NegativeLength.into());
        }
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn take(&mut self, length: usize) -> ReadResult<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ReadProblem::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array_of<const N: usize>(&mut self) -> ReadResult<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| ReadProblem::Truncated.into())
    }
}

/// Whether RFC 3339 has words for it, so that what is read can be written again, and the other way round.
pub(crate) fn readable(instant: DateTime<Utc>) -> bool {
    (0..=9999).contains(&instant.year())
}

/// The instant so many units after 1970.
pub(crate) fn instant(unit: TimeUnit, count: i64) -> Option<DateTime<Utc>> {
    let instant = match unit {
        TimeUnit::Millis => DateTime::from_timestamp_millis(count)?,
        TimeUnit::Micros => DateTime::from_timestamp_micros(count)?,
        TimeUnit::Nanos => DateTime::from_timestamp_nanos(count),
    };
    readable(instant).then_some(instant)
}

pub(super) const fn digits(unit: TimeUnit) -> SecondsFormat {
    match unit {
        TimeUnit::Millis => SecondsFormat::Millis,
        TimeUnit::Micros => SecondsFormat::Micros,
        TimeUnit::Nanos => SecondsFormat::Nanos,
    }
}

fn number(float: f64) -> ReadResult<Value> {
    Number::from_f64(float).map(Value::Number).ok_or_else(|| ReadProblem::NotFinite.into())
}
