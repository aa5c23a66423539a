//! A service's own events, as they are stored and published. Separate, because the way between an enum and the pair of
//! type and data is the same for all.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Whether an event is told to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Published to the service's topic of events, in the order of the stream.
    Published,
    /// Kept in the stream.
    Private,
}

/// An enum of events, one variant each, in serde's default (externally tagged) form: the variant's name is the event's
/// type, its content the event's data.
///
/// A variant of a published event wraps the contract's payload: `InventoryReserved(InventoryReserved)`.
pub trait DomainEvent: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// Whether it is told to others.
    fn visibility(&self) -> Visibility;

    /// The version of its data, as in the contract.
    fn event_version(&self) -> i32 {
        1
    }

    /// Brings data stored by an older version to the newest; the newest comes back as it is.
    fn upcast(_event_type: &str, _event_version: i32, data: Value) -> Value {
        data
    }
}

/// Why a stored event could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{event_type}` cannot be read or written: {detail}")]
pub struct UnreadableEvent {
    /// Its type.
    pub event_type: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Type and data of an externally tagged value.
pub(crate) fn untag(value: &impl Serialize) -> Result<(String, Value), UnreadableEvent> {
    let fail = |detail: String| UnreadableEvent { event_type: "event".to_owned(), detail };
    match serde_json::to_value(value).map_err(|error| fail(error.to_string()))? {
        Value::String(name) => Ok((name, Value::Null)),
        Value::Object(fields) if fields.len() == 1 => {
            fields.into_iter().next().ok_or_else(|| fail("no variant".to_owned()))
        }
        _ => Err(fail("an externally tagged enum is asked for".to_owned())),
    }
}

/// The inverse of [`untag`].
pub(crate) fn tag<T: DeserializeOwned>(name: &str, data: Value) -> Result<T, UnreadableEvent> {
    let tagged = Value::Object(Map::from_iter([(name.to_owned(), data)]));
    serde_json::from_value(tagged)
        .map_err(|error| UnreadableEvent { event_type: name.to_owned(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Light {
        Off,
        Dimmed { percent: u8 },
        Named(String),
    }

    #[test]
    fn a_variant_is_a_type_and_its_content_the_data() {
        assert_eq!(untag(&Light::Dimmed { percent: 5 }).unwrap(), ("Dimmed".to_owned(), json!({"percent": 5})));
        for light in [Light::Off, Light::Dimmed { percent: 1 }, Light::Named("red".into())] {
            let (name, data) = untag(&light).unwrap();
            assert_eq!(tag::<Light>(&name, data).unwrap(), light);
        }
    }

    #[test]
    fn what_is_no_enum_and_what_is_unknown_are_named() {
        assert!(untag(&5).is_err());
        assert_eq!(tag::<Light>("Broken", json!({})).unwrap_err().event_type, "Broken");
    }
}
