//! What happened in a stream, as its service reads it: the library's own notes left out.

use std::fmt;

use backstitch_event_store::StoredEvent;
use backstitch_participant::DomainEvent;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The events of one stream, oldest first.
pub struct History<E> {
    events: Vec<E>,
    causes: Vec<Option<Uuid>>,
}

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the event `{event_type}` of stream `{stream}` is not understood")]
pub struct UnreadableHistory {
    /// The stream.
    pub stream: String,
    /// The event's type.
    pub event_type: String,
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

/// What the participant library writes into streams for itself begins so.
const NOTES: &str = "backstitch.";

impl<E: DomainEvent> History<E> {
    /// Reads what was stored.
    ///
    /// # Errors
    /// [`UnreadableHistory`] for an event that this release does not know.
    pub fn read(stored: Vec<StoredEvent>) -> Result<Self, UnreadableHistory> {
        let mut history = Self { events: Vec::new(), causes: Vec::new() };
        for StoredEvent { stream, event, .. } in stored {
            history.causes.push(event.causation_id);
            if event.event_type.starts_with(NOTES) {
                continue;
            }
            let data = E::upcast(&event.event_type, event.event_version, event.data);
            let tagged = Value::Object(Map::from_iter([(event.event_type.clone(), data)]));
            let known = serde_json::from_value(tagged).map_err(|source| UnreadableHistory {
                stream: stream.to_string(),
                event_type: event.event_type,
                source,
            })?;
            history.events.push(known);
        }
        Ok(history)
    }
}

impl<E> History<E> {
    /// The events.
    #[must_use]
    pub fn events(&self) -> &[E] {
        &self.events
    }

    /// Whether nothing of the service's own ever happened.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether the message has led to anything, were it only a note that it was answered.
    #[must_use]
    pub fn shows(&self, message: Uuid) -> bool {
        self.causes.contains(&Some(message))
    }
}

impl<E> fmt::Debug for History<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a history of {} events", self.events.len())
    }
}

#[cfg(test)]
mod tests {
    use backstitch_event_store::{Cursor, NewEvent, StreamId, StreamVersion};
    use backstitch_participant::Visibility;
    use chrono::Utc;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Light {
        Dimmed { percent: u8 },
    }

    impl DomainEvent for Light {
        fn visibility(&self) -> Visibility {
            Visibility::Private
        }
    }

    fn stored(event_type: &str, data: Value, cause: u128) -> StoredEvent {
        let event = NewEvent {
            event_id: Uuid::nil(),
            event_type: event_type.to_owned(),
            event_version: 1,
            aggregate_type: "Light".to_owned(),
            occurred_at: Utc::now(),
            correlation_id: Uuid::nil(),
            causation_id: Some(Uuid::from_u128(cause)),
            user_id: None,
            data,
            metadata: json!({}),
        };
        StoredEvent {
            stream: StreamId::of("light", "a"),
            version: StreamVersion::default(),
            cursor: Cursor::default(),
            event,
        }
    }

    #[test]
    fn the_librarys_notes_are_no_events_but_show_that_a_command_was_answered() {
        let dimmed = stored("Dimmed", json!({"percent": 5}), 1);
        let note = stored("backstitch.CommandAnswered", Value::Null, 2);
        let history = History::<Light>::read(vec![dimmed, note]).unwrap();
        assert_eq!(history.events(), [Light::Dimmed { percent: 5 }]);
        assert!(history.shows(Uuid::from_u128(2)) && !history.shows(Uuid::from_u128(3)));
    }

    #[test]
    fn an_event_of_a_newer_release_is_named() {
        let error = History::<Light>::read(vec![stored("Smashed", json!({}), 1)]).unwrap_err();
        assert_eq!(error.to_string(), "the event `Smashed` of stream `light-a` is not understood");
    }
}
