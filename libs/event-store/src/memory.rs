//! A store in this process's memory, for tests that need no database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound as _};
use uuid::Uuid;

use crate::{
    AppendError, AppendRequest, Appended, Cursor, EventStore, Page, ReadError, StoredEvent, StreamId, StreamVersion,
};

#[derive(Default)]
struct Contents {
    heads: BTreeMap<StreamId, StreamVersion>,
    events: Vec<StoredEvent>,
    ids: BTreeSet<Uuid>,
    transactions: u64,
}

/// Keeps everything in memory; each append is one transaction.
#[derive(Default)]
pub struct MemoryStore {
    contents: Mutex<Contents>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What [`EventStore::append`] does, for callers that cannot wait.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append_now(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        request.check(&contents.heads)?;
        contents.refuse_known_ids(&request)?;
        Ok(contents.add(request))
    }

    /// What [`EventStore::load_many`] does, for callers that cannot wait.
    #[must_use]
    pub fn load_now(&self, streams: &[(StreamId, StreamVersion)]) -> Vec<StoredEvent> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: BTreeMap<_, _> = streams.iter().cloned().collect();
        let is_wanted = |event: &&StoredEvent| wanted.get(&event.stream).is_some_and(|after| event.version > *after);
        contents.events.iter().filter(is_wanted).cloned().collect()
    }
}

impl Contents {
    fn refuse_known_ids(&self, request: &AppendRequest) -> Result<(), AppendError> {
        let mut fresh = BTreeSet::new();
        for event in request.writes.iter().flat_map(|write| &write.events) {
            if self.ids.contains(&event.event_id) || !fresh.insert(event.event_id) {
                return Err(AppendError::DuplicateEvent { detail: format!("event `{}`", event.event_id) });
            }
        }
        Ok(())
    }

    fn add(&mut self, request: AppendRequest) -> Appended {
        self.transactions += 1;
        let mut appended = Appended::default();
        for write in request.writes {
            let mut version = self.heads.get(&write.stream).copied().unwrap_or_default();
            for mut event in write.events {
                version = version.after(1);
                event.occurred_at = to_microseconds(event.occurred_at);
                self.ids.insert(event.event_id);
                let position = self.events.len() as u64 + 1;
                self.events.push(StoredEvent {
                    stream: write.stream.clone(),
                    version,
                    cursor: Cursor { transaction: self.transactions, position },
                    event,
                });
            }
            self.heads.insert(write.stream.clone(), version);
            appended.heads.insert(write.stream, version);
        }
        appended
    }
}

fn to_microseconds<Z: chrono::TimeZone>(at: DateTime<Z>) -> DateTime<Z> {
    at.trunc_subsecs(6)
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.append_now(request)
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.load_now(streams))
    }

    async fn read_all(&self, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let later = contents.events.iter().filter(|event| event.cursor > after);
        let events: Vec<_> = later.take(limit as usize).cloned().collect();
        let next = events.last().map_or(after, |event| event.cursor);
        Ok(Page { events, next })
    }
}
