//! Where states are kept so that they need not be folded from the first event again. Separate from the event store's
//! trait: a snapshot may be lost at any time, and nothing is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use crate::{ReadError, StreamId, StreamVersion};

/// A state as it was after an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamId,
    /// The version of the stream that the state includes.
    pub version: StreamVersion,
    /// Which form the state has; one of another form is ignored.
    pub state_version: i32,
    /// The state.
    pub state: Value,
}

/// Keeps the newest snapshot of each stream.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// The newest snapshot of `stream`, whatever its form.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn newest(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadError>;

    /// Keeps `snapshot`, unless there is one of a newer form, or of the same form and as new.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn keep(&self, snapshot: Snapshot) -> Result<(), ReadError>;
}

impl Snapshot {
    /// Whether it is to take the place of `other`. An old release that runs beside a new one leaves the new one's alone.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        (self.state_version, self.version) > (other.state_version, other.version)
    }
}

/// Keeps snapshots in memory.
#[derive(Debug, Default)]
pub struct MemorySnapshots {
    kept: Mutex<HashMap<StreamId, Snapshot>>,
}

#[async_trait]
impl SnapshotStore for MemorySnapshots {
    async fn newest(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadError> {
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned())
    }

    async fn keep(&self, snapshot: Snapshot) -> Result<(), ReadError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(&snapshot.stream).is_none_or(|other| snapshot.replaces(other)) {
            kept.insert(snapshot.stream.clone(), snapshot);
        }
        Ok(())
    }
}
