//! A team's own events, as they are stored. Separate, because the way between an enum and the pair of type and data is
//! the same for all.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::StoredEvent;

/// An enum of events, one variant each, in serde's default (externally tagged) form: the variant's name is the event's
/// type, its content the event's data. Fields that are unknown are passed over, so that a newer writer does no harm.
pub trait EventData: Serialize + DeserializeOwned + Send + Sync {
    /// The version of its data. Older versions in the store are brought here by upcasters
    /// ([`crate::UpcastingStore`]).
    fn event_version(&self) -> i32 {
        1
    }

    /// Type and data.
    ///
    /// # Errors
    /// [`DataError`] when it is no externally tagged enum.
    fn to_stored(&self) -> Result<(String, Value), DataError> {
        let fail = |detail: String| DataError { event_type: "event".to_owned(), detail };
        match serde_json::to_value(self).map_err(|error| fail(error.to_string()))? {
            Value::String(name) => Ok((name, Value::Null)),
            Value::Object(fields) if fields.len() == 1 => {
                fields.into_iter().next().ok_or_else(|| fail("no variant".to_owned()))
            }
            _ => Err(fail("an externally tagged enum is asked for".to_owned())),
        }
    }

    /// From a stored event.
    ///
    /// # Errors
    /// [`DataError`] when the type or its data is unknown.
    fn of_stored(stored: &StoredEvent) -> Result<Self, DataError> {
        let event_type = &stored.event.event_type;
        let fail = |error: serde_json::Error| DataError { event_type: event_type.clone(), detail: error.to_string() };
        if stored.event.data.is_null() {
            // A variant without content.
            return serde_json::from_value(Value::String(event_type.clone())).map_err(fail);
        }
        let tagged = Map::from_iter([(event_type.clone(), stored.event.data.clone())]);
        serde_json::from_value(Value::Object(tagged)).map_err(fail)
    }
}

/// Why an event could not be written or understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{event_type}` cannot be read or written: {detail}")]
pub struct DataError {
    /// Its type.
    pub event_type: String,
    /// What is wrong with it.
    pub detail: String,
}
