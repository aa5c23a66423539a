//! What values a place may hold: the shapes that definitions are checked against.
//!
//! Separate because the engine knows no wire format: whoever has schemas says here what they allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;

/// What values a place may hold, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Nothing is known about it.
    Any,
    /// No value: an element of an empty list, the result of a step that has none.
    Never,
    /// `null`.
    Null,
    /// True or false.
    Bool,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// A text.
    Text,
    /// A text that is a time as RFC 3339 has it.
    Time,
    /// One of these texts.
    Symbols(Arc<[String]>),
    /// Exactly this scalar.
    Exactly(Value),
    /// A list of such values.
    List(Arc<Shape>),
    /// A record with any names, and such values.
    Map(Arc<Shape>),
    /// A record with these fields.
    Record(Arc<Record>),
    /// One of several.
    OneOf(Arc<[Shape]>),
    /// An unsigned whole number; only expressions make it.
    Unsigned,
    /// Bytes; only expressions make it, and they become a text.
    Bytes,
    /// A point in time; only expressions make it, and it becomes a text.
    Instant,
    /// A length of time; only expressions make it, and it becomes a whole number.
    Span,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is called; absent for one that an expression makes.
    pub name: Option<String>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be left out when the record is written.
    pub optional: bool,
}

impl Record {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.name.clone()).collect()
    }
}

/// Most alternatives that are told apart; beyond them nothing is known.
const ALTERNATIVES_MAX: usize = 12;

impl Shape {
    /// One of these; a single one, or none, is itself.
    pub fn one_of(shapes: impl IntoIterator<Item = Self>) -> Self {
        shapes.into_iter().fold(Self::Never, Self::or)
    }

    /// What is of one shape or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, shape) | (shape, Self::Never) => shape,
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (one, other) if one == other => one,
            (Self::List(one), Self::List(other)) => Self::List(Arc::new((*one).clone().or((*other).clone()))),
            (one, other) => {
                let mut all: Vec<Self> = one.alternatives().to_vec();
                for shape in other.alternatives() {
                    if !all.contains(shape) {
                        all.push(shape.clone());
                    }
                }
                if all.len() > ALTERNATIVES_MAX { Self::Any } else { Self::OneOf(all.into()) }
            }
        }
    }

    /// The alternatives, of which a plain shape has one.
    pub fn alternatives(&self) -> &[Self] {
        match self {
            Self::OneOf(shapes) => shapes,
            plain => std::slice::from_ref(plain),
        }
    }

    /// Whether `null` is among the alternatives, and something else too.
    pub fn may_be_null(&self) -> bool {
        let null = |shape: &Self| matches!(shape, Self::Null) || *shape == Self::Exactly(Value::Null);
        self.alternatives().iter().any(null) && !self.alternatives().iter().all(null)
    }

    /// The same without `null`.
    #[must_use]
    pub fn not_null(&self) -> Self {
        let rest = self.alternatives().iter().filter(|shape| !matches!(shape, Self::Null));
        Self::one_of(rest.cloned())
    }

    /// The shape of a value that is written down.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Array(items) => Self::List(Arc::new(Self::one_of(items.iter().map(Self::of)))),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| Field {
                    name: name.clone(),
                    shape: Self::of(value),
                    optional: false,
                };
                Self::Record(Arc::new(Record { name: None, fields: fields.iter().map(field).collect() }))
            }
            scalar => Self::Exactly(scalar.clone()),
        }
    }

    /// In words, with its article.
    pub fn describe(&self) -> String {
        match self {
            Self::Any | Self::Never => "anything".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int => "a whole number of 32 bits".to_owned(),
            Self::Long | Self::Unsigned => "a whole number".to_owned(),
            Self::Double => "a number with a fraction".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Time => "a time (RFC 3339)".to_owned(),
            Self::Symbols(symbols) => format!("one of `{}`", symbols.join("`, `")),
            Self::Exactly(Value::String(text)) => format!("the text `{text}`"),
            Self::Exactly(value) => format!("`{value}`"),
            Self::List(items) => match &**items {
                Self::Any | Self::Never => "a list".to_owned(),
                items => format!("a list, each {}", items.describe()),
            },
            Self::Map(values) => match &**values {
                Self::Any | Self::Never => "a record".to_owned(),
                values => format!("a record of values, each {}", values.describe()),
            },
            Self::Record(record) => match &record.name {
                Some(name) => format!("a record `{name}`"),
                None => "a record".to_owned(),
            },
            Self::OneOf(shapes) => {
                shapes.iter().map(Self::describe).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" or ")
            }
            Self::Bytes => "bytes".to_owned(),
            Self::Instant => "a point in time".to_owned(),
            Self::Span => "a length of time".to_owned(),
        }
    }
}

/// Whether a text is a time as the wire takes it.
pub(super) fn is_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
}

/// The messages of every topic whose schema is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shapes {
    topics: BTreeMap<String, Messages>,
}

/// The messages of one topic, by type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Messages {
    by_type: BTreeMap<String, BTreeMap<i32, Version>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Version {
    record: Arc<Record>,
    is_read: bool,
}

impl Shapes {
    /// Says that a topic's schema is known; its messages are added to what this answers.
    pub fn topic_mut(&mut self, topic: &str) -> &mut Messages {
        self.topics.entry(topic.to_owned()).or_default()
    }

    /// The messages of a topic; `None` when its schema is not known.
    pub fn topic(&self, topic: &str) -> Option<&Messages> {
        self.topics.get(topic)
    }

    /// Names of the topics whose schema is known.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// The topics that carry messages of this type.
    pub(super) fn carriers<'s>(&'s self, message_type: &'s str) -> impl Iterator<Item = &'s str> {
        let carries = move |messages: &Messages| messages.by_type.contains_key(message_type);
        self.topics.iter().filter(move |(_, messages)| carries(messages)).map(|(topic, _)| topic.as_str())
    }
}

impl Messages {
    /// Adds a version of a message. `is_read` is false for versions that readers never see, since they are turned into
    /// newer ones first.
    pub fn add(&mut self, message_type: &str, version: i32, record: Arc<Record>, is_read: bool) {
        self.by_type.entry(message_type.to_owned()).or_default().insert(version, Version { record, is_read });
    }

    /// The types there are.
    pub fn types(&self) -> Vec<String> {
        self.by_type.keys().cloned().collect()
    }

    /// The versions of a type.
    pub fn versions(&self, message_type: &str) -> Vec<i32> {
        self.by_type.get(message_type).into_iter().flat_map(BTreeMap::keys).copied().collect()
    }

    /// What a reader of this type may find: one of the versions that are read.
    pub fn read(&self, message_type: &str) -> Option<Shape> {
        let versions = self.by_type.get(message_type)?;
        let read = versions.values().filter(|version| version.is_read);
        Some(Shape::one_of(read.map(|version| Shape::Record(Arc::clone(&version.record)))))
    }

    /// What a writer of this version has to say.
    pub fn written(&self, message_type: &str, version: i32) -> Option<&Arc<Record>> {
        self.by_type.get(message_type)?.get(&version).map(|version| &version.record)
    }
}
