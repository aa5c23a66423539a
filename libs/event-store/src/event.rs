//! An event before and after it is stored. Separate from the requests that carry it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{Cursor, StreamId, StreamVersion};

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Unique in the store: what may be written twice derives it.
    pub event_id: Uuid,
    /// What happened: `InventoryReserved`.
    pub event_type: String,
    /// Which shape `data` has.
    pub event_version: i32,
    /// What kind of thing the stream is about.
    pub aggregate_type: String,
    /// When it happened; kept to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// The flow it belongs to.
    pub correlation_id: Uuid,
    /// The command or event that caused it.
    pub causation_id: Option<Uuid>,
    /// On whose behalf.
    pub user_id: Option<String>,
    /// The facts.
    pub data: Value,
    /// What is known about the event rather than told by it.
    pub metadata: Value,
}

/// An event with its place in its stream and in the global order.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The stream.
    pub stream: StreamId,
    /// Its number in the stream, from 1.
    pub version: StreamVersion,
    /// Its place in the global order.
    pub cursor: Cursor,
    /// The event itself.
    pub event: NewEvent,
}
