//! What every message carries around its data, as Rust sees it. Separate from bytes: a decision needs none.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Payload;

/// A message. In `data`, times are RFC 3339 texts with microseconds, so that people, expressions and typed structs read
/// the same; on the wire they are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Names this message; a repeat has the same.
    pub event_id: Uuid,
    /// Name of the event or command, without its version.
    pub event_type: String,
    /// Version of its data, from 1.
    pub event_version: i32,
    /// The aggregate it is about.
    pub aggregate_id: String,
    /// What kind of aggregate that is.
    pub aggregate_type: String,
    /// When it happened. Finer than microseconds is cut on the wire.
    pub occurred_at: DateTime<Utc>,
    /// Names the flow; set by whoever began it.
    pub correlation_id: Uuid,
    /// The message that caused this one.
    #[serde(default)]
    pub causation_id: Option<Uuid>,
    /// Who did it, where a person did.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Further words about the message; `source` is always there.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The event's or command's own fields.
    pub data: Value,
}

/// In the metadata: the event's number in the stream of its aggregate, from 1. Streams of different types are numbered
/// apart. Whoever keeps state drops by it what it has seen; producers that have no streams leave it out.
pub const STREAM_VERSION: &str = "stream_version";

/// Why an envelope's data is not what its reader takes it for.
#[derive(Debug, thiserror::Error)]
pub enum TypedError {
    /// Another type or version.
    #[error("the message is a `{found}` version {found_version}, not a `{expected}` version {expected_version}")]
    Other {
        /// What it says it is.
        found: String,
        /// And of which version.
        found_version: i32,
        /// What was asked for.
        expected: &'static str,
        /// And of which version.
        expected_version: i32,
    },
    /// The right type, but its fields break a rule of the domain.
    #[error("the data of `{event_type}` breaks a rule")]
    Data {
        /// The message's type.
        event_type: &'static str,
        /// Which rule.
        #[source]
        source: serde_json::Error,
    },
}

impl Envelope {
    /// Whether the data is a `T`, by type and version.
    #[must_use]
    pub fn is<T: Payload>(&self) -> bool {
        self.event_type == T::EVENT_TYPE && self.event_version == T::EVENT_VERSION
    }

    /// The event's number in the stream of its aggregate, where its producer says so.
    #[must_use]
    pub fn stream_version(&self) -> Option<u64> {
        self.metadata.get(STREAM_VERSION)?.parse().ok()
    }

    /// The data as a `T`.
    ///
    /// # Errors
    /// [`TypedError`] if it is another type or version, or a field breaks a rule of the domain.
    pub fn typed<T: Payload>(&self) -> Result<T, TypedError> {
        if !self.is::<T>() {
            return Err(TypedError::Other {
                found: self.event_type.clone(),
                found_version: self.event_version,
                expected: T::EVENT_TYPE,
                expected_version: T::EVENT_VERSION,
            });
        }
        T::deserialize(&self.data).map_err(|source| TypedError::Data { event_type: T::EVENT_TYPE, source })
    }

    /// The same envelope around other data, of which it takes type and version.
    ///
    /// # Errors
    /// [`TypedError::Data`] if the payload has no JSON form (a map with keys that are no text).
    pub fn with_data<T: Payload>(mut self, payload: &T) -> Result<Self, TypedError> {
        self.data =
            serde_json::to_value(payload).map_err(|source| TypedError::Data { event_type: T::EVENT_TYPE, source })?;
        T::EVENT_TYPE.clone_into(&mut self.event_type);
        self.event_version = T::EVENT_VERSION;
        Ok(self)
    }
}
