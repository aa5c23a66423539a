//! A store that shows every event in its newest version. Around any store, so that aggregates, projections and
//! subscriptions know no other, and a stream may mix versions.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_upcaster::Upcasters;
use chrono::Utc;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    AppendError, AppendRequest, AppendSignal, Appended, Cursor, EventStore, Lag, Page, ReadError, Selection, Slice,
    StoredEvent, StreamId, StreamVersion,
};

/// Upcasts on every read; what is stored stays as it was written.
pub struct UpcastingStore {
    inner: Arc<dyn EventStore>,
    upcasters: Upcasters,
}

impl UpcastingStore {
    /// Shows the events of `inner` through `upcasters`.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>, upcasters: Upcasters) -> Self {
        Self { inner, upcasters }
    }

    fn newest(&self, mut stored: StoredEvent) -> StoredEvent {
        let event = &mut stored.event;
        let data = std::mem::take(&mut event.data);
        let upcast = self.upcasters.upcast(&event.event_type, event.event_version, data, stored.stream.key());
        event.data = upcast.data.clone();
        event.event_version = upcast.event_version;
        let notes = upcast.notes(Utc::now());
        if !notes.is_empty() {
            if !event.metadata.is_object() {
                event.metadata = Value::Object(Map::new());
            }
            for (key, note) in notes {
                event.metadata[key] = Value::String(note);
            }
        }
        stored
    }

    fn all_newest(&self, events: Vec<StoredEvent>) -> Vec<StoredEvent> {
        events.into_iter().map(|stored| self.newest(stored)).collect()
    }
}

#[async_trait]
impl EventStore for UpcastingStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.inner.append(request).await
    }

    async fn append_each(&self, requests: Vec<AppendRequest>) -> Vec<Result<Appended, AppendError>> {
        self.inner.append_each(requests).await
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.all_newest(self.inner.load_many(streams).await?))
    }

    async fn read_stream(&self, stream: &StreamId, slice: Slice, limit: u32) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.all_newest(self.inner.read_stream(stream, slice, limit).await?))
    }

    async fn head(&self, stream: &StreamId) -> Result<StreamVersion, ReadError> {
        self.inner.head(stream).await
    }

    async fn read(&self, selection: &Selection, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        let page = self.inner.read(selection, after, limit).await?;
        Ok(Page { events: self.all_newest(page.events), next: page.next })
    }

    async fn event(&self, event_id: Uuid) -> Result<Option<StoredEvent>, ReadError> {
        Ok(self.inner.event(event_id).await?.map(|stored| self.newest(stored)))
    }

    async fn end(&self) -> Result<Cursor, ReadError> {
        self.inner.end().await
    }

    async fn lag(&self, selection: &Selection, after: Cursor) -> Result<Lag, ReadError> {
        self.inner.lag(selection, after).await
    }

    fn appends(&self) -> AppendSignal {
        self.inner.appends()
    }
}
