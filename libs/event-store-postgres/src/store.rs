//! The store by itself: appends through its writers, reads from the pool.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use backstitch_event_store::{
    AppendError, AppendRequest, AppendSignal, Appended, Cursor, EventStore, Lag, Page, ReadError, Selection, Slice,
    StoredEvent, StreamId, StreamVersion,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::appender::Appender;
use crate::failure::read_error;
use crate::reads;
use crate::rows::load_many;
use crate::settings::StoreSettings;
use crate::signal::{Bell, Task, hear_others, notify_others};

/// An event store in a Postgres database that has this crate's migrations. Clones share writers and signals.
///
/// Its tasks begin with the first append and the first subscription, and need a Tokio runtime; they end with the last
/// clone. A store that only reads has none.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    settings: StoreSettings,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bell: Arc<Bell>,
    appender: OnceLock<(Appender, Task)>,
    listener: OnceLock<Task>,
}

impl PostgresStore {
    /// The store of that database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, settings: StoreSettings::default(), shared: Arc::default() }
    }

    /// The same with other bounds. Before the first append.
    #[must_use]
    pub fn with(mut self, settings: StoreSettings) -> Self {
        self.settings = settings;
        self
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn appender(&self) -> &Appender {
        let start = || {
            let bell = &self.shared.bell;
            (Appender::start(&self.pool, &self.settings, bell), notify_others(self.pool.clone(), Arc::clone(bell)))
        };
        &self.shared.appender.get_or_init(start).0
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.appender().append(request).await
    }

    async fn append_each(&self, requests: Vec<AppendRequest>) -> Vec<Result<Appended, AppendError>> {
        self.appender().append_each(requests).await
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        let mut connection = self.pool.acquire().await.map_err(read_error)?;
        load_many(streams, &mut connection).await.map_err(read_error)
    }

    async fn read_stream(&self, stream: &StreamId, slice: Slice, limit: u32) -> Result<Vec<StoredEvent>, ReadError> {
        reads::slice(stream, slice, limit, &self.pool).await.map_err(read_error)
    }

    async fn head(&self, stream: &StreamId) -> Result<StreamVersion, ReadError> {
        reads::head(stream, &self.pool).await.map(StreamVersion::from_i64).map_err(read_error)
    }

    async fn read(&self, selection: &Selection, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        let events = reads::selected(selection, after, limit, &self.pool).await.map_err(read_error)?;
        Ok(Page::of(events, after))
    }

    async fn event(&self, event_id: Uuid) -> Result<Option<StoredEvent>, ReadError> {
        Ok(reads::by_ids(vec![event_id], &self.pool).await.map_err(read_error)?.pop())
    }

    async fn end(&self) -> Result<Cursor, ReadError> {
        reads::end(&self.pool).await.map_err(read_error)
    }

    async fn lag(&self, selection: &Selection, after: Cursor) -> Result<Lag, ReadError> {
        let unread = self.read(selection, after, 1).await?.events.pop();
        let Some(oldest) = unread else { return Ok(Lag::default()) };
        let last = reads::last_position(&self.pool).await.map_err(read_error)?;
        let beyond = last.saturating_sub(after.position);
        let events = selection.share_of(beyond).max(1);
        Ok(Lag { events, oldest_unread_at: Some(oldest.event.occurred_at) })
    }

    fn appends(&self) -> AppendSignal {
        self.shared.listener.get_or_init(|| hear_others(self.pool.clone(), Arc::clone(&self.shared.bell)));
        self.shared.bell.subscribe()
    }
}
