//! What every event store can do. Separate from the stores, so that callers name none.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AppendError, AppendRequest, Appended, StoredEvent, StreamId, StreamVersion};

/// A place in the global order. The default is the beginning.
///
/// Positions alone would not do: a transaction that took a low position may commit after one that took a higher one.
/// Ordered by transaction first, and read only below the oldest running one, nothing ever appears behind a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The id of the transaction that appended.
    pub transaction: u64,
    /// The event's position.
    pub position: u64,
}

/// A piece of the global order.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In order.
    pub events: Vec<StoredEvent>,
    /// Where to go on: the last event's cursor, or the one asked with.
    pub next: Cursor,
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read from the event store")]
pub struct ReadError {
    /// What the store said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// An append-only store of events in streams.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends all or nothing.
    ///
    /// # Errors
    /// See [`AppendError`]; a conflict names the stream and where it is.
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError>;

    /// The events of `stream` after version `after`, in order. An unknown stream has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn load(&self, stream: &StreamId, after: StreamVersion) -> Result<Vec<StoredEvent>, ReadError> {
        self.load_many(&[(stream.clone(), after)]).await
    }

    /// The same for many streams in one round trip: each stream's events in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError>;

    /// At most `limit` events after `after` in the global order. What a cursor has passed never changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn read_all(&self, after: Cursor, limit: u32) -> Result<Page, ReadError>;
}
