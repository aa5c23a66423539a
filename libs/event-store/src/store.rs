//! What every event store can do. Separate from the stores, so that callers name none.

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    AppendError, AppendRequest, Appended, Cursor, Lag, Page, Selection, Slice, StoredEvent, StreamId, StreamVersion,
};

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read from the event store")]
pub struct ReadError {
    /// What the store said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Counts appends of which a store has heard; what it shows changes whenever there may be something new to read.
pub type AppendSignal = watch::Receiver<u64>;

/// An append-only store of events in streams.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends all or nothing. The same append again (the same event ids in the same streams) changes nothing and
    /// answers what it answered.
    ///
    /// # Errors
    /// See [`AppendError`]; a conflict names the stream and where it is.
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError>;

    /// Appends that have nothing to do with each other, with a verdict each, in their order; stores may write them
    /// together.
    async fn append_each(&self, requests: Vec<AppendRequest>) -> Vec<Result<Appended, AppendError>> {
        let mut verdicts = Vec::with_capacity(requests.len());
        for request in requests {
            verdicts.push(self.append(request).await);
        }
        verdicts
    }

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

    /// At most `limit` events of `stream`, forwards or backwards. [`Slice::following`] says where the next page begins;
    /// a page that is not full was the last.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn read_stream(&self, stream: &StreamId, slice: Slice, limit: u32) -> Result<Vec<StoredEvent>, ReadError>;

    /// How many events `stream` has.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn head(&self, stream: &StreamId) -> Result<StreamVersion, ReadError> {
        let newest = self.read_stream(stream, Slice::Newest, 1).await?;
        Ok(newest.first().map_or(StreamVersion::NONE, |event| event.version))
    }

    /// At most `limit` events after `after` in the global order. What a cursor has passed never changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn read_all(&self, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        self.read(&Selection::All, after, limit).await
    }

    /// The same of the events that are selected.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn read(&self, selection: &Selection, after: Cursor, limit: u32) -> Result<Page, ReadError>;

    /// The event with that id, if it was appended through a store; what a processor's lanes wrote beside their own rows has
    /// no entry by its id.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn event(&self, event_id: Uuid) -> Result<Option<StoredEvent>, ReadError>;

    /// The end of the global order as far as it may be read now: where a reader begins that wants only what comes.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn end(&self) -> Result<Cursor, ReadError>;

    /// How far a reader of `selection` at `after` is behind.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn lag(&self, selection: &Selection, after: Cursor) -> Result<Lag, ReadError>;

    /// Changes whenever something may have been appended. A signal may come too often or be missed: whoever waits for
    /// it also looks by itself now and then.
    fn appends(&self) -> AppendSignal;
}
