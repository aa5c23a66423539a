//! A store in this process's memory, for tests that need no database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::SubsecRound as _;
use tokio::sync::watch;
use uuid::Uuid;

use crate::store::AppendSignal;
use crate::{
    AppendError, AppendRequest, Appended, Cursor, EventStore, Lag, Page, ReadError, Selection, Slice, StoredEvent,
    StreamId, StreamVersion,
};

#[derive(Default)]
struct Contents {
    heads: BTreeMap<StreamId, StreamVersion>,
    /// In the global order.
    events: Vec<StoredEvent>,
    /// Where in `events`, by stream in the order of versions.
    streams: HashMap<StreamId, Vec<usize>>,
    /// Where in `events`, by id.
    ids: HashMap<Uuid, usize>,
    transactions: u64,
}

/// Keeps everything in memory; each append is one transaction.
#[derive(Default)]
pub struct MemoryStore {
    contents: Mutex<Contents>,
    signal: watch::Sender<u64>,
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
        request.validate()?;
        let mut contents = self.contents();
        if let Some(appended) = request.repeated(&contents.known(&request))? {
            return Ok(appended);
        }
        request.check(&contents.heads)?;
        let appended = contents.add(request);
        drop(contents);
        self.signal.send_modify(|appends| *appends += 1);
        Ok(appended)
    }

    /// What [`EventStore::load_many`] does, for callers that cannot wait.
    #[must_use]
    pub fn load_now(&self, streams: &[(StreamId, StreamVersion)]) -> Vec<StoredEvent> {
        let contents = self.contents();
        let after = |(stream, after): &(StreamId, StreamVersion)| {
            contents.stream(stream).skip(usize::try_from(after.0).unwrap_or(usize::MAX)).cloned().collect::<Vec<_>>()
        };
        streams.iter().flat_map(after).collect()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn stream(&self, stream: &StreamId) -> impl DoubleEndedIterator<Item = &StoredEvent> {
        self.streams.get(stream).into_iter().flatten().map(|at| &self.events[*at])
    }

    fn known(&self, request: &AppendRequest) -> Vec<StoredEvent> {
        let places = request.events().filter_map(|event| self.ids.get(&event.event_id));
        places.map(|at| self.events[*at].clone()).collect()
    }

    fn add(&mut self, request: AppendRequest) -> Appended {
        self.transactions += 1;
        let mut appended = Appended::default();
        for write in request.writes {
            let mut version = self.heads.get(&write.stream).copied().unwrap_or_default();
            for mut event in write.events {
                version = version.after(1);
                event.occurred_at = event.occurred_at.trunc_subsecs(6);
                let at = self.events.len();
                appended.cursor = Cursor { transaction: self.transactions, position: at as u64 + 1 };
                self.ids.insert(event.event_id, at);
                self.streams.entry(write.stream.clone()).or_default().push(at);
                self.events.push(StoredEvent { stream: write.stream.clone(), version, cursor: appended.cursor, event });
            }
            self.heads.insert(write.stream.clone(), version);
            appended.heads.insert(write.stream, version);
        }
        appended
    }

    fn unread<'a>(&'a self, selection: &'a Selection, after: Cursor) -> impl Iterator<Item = &'a StoredEvent> {
        let begin = self.events.partition_point(|event| event.cursor <= after);
        self.events[begin..].iter().filter(|event| selection.wants(event))
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.append_now(request)
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.load_now(streams))
    }

    async fn read_stream(&self, stream: &StreamId, slice: Slice, limit: u32) -> Result<Vec<StoredEvent>, ReadError> {
        let contents = self.contents();
        let (events, limit) = (contents.stream(stream), limit as usize);
        Ok(match slice {
            Slice::After(after) => events.filter(|event| event.version > after).take(limit).cloned().collect(),
            Slice::Before(before) => events.rev().filter(|event| event.version < before).take(limit).cloned().collect(),
            Slice::Newest => events.rev().take(limit).cloned().collect(),
        })
    }

    async fn read(&self, selection: &Selection, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        let contents = self.contents();
        Ok(Page::of(contents.unread(selection, after).take(limit as usize).cloned().collect(), after))
    }

    async fn event(&self, event_id: Uuid) -> Result<Option<StoredEvent>, ReadError> {
        let contents = self.contents();
        Ok(contents.ids.get(&event_id).map(|at| contents.events[*at].clone()))
    }

    async fn end(&self) -> Result<Cursor, ReadError> {
        Ok(self.contents().events.last().map_or_else(Cursor::default, |event| event.cursor))
    }

    async fn lag(&self, selection: &Selection, after: Cursor) -> Result<Lag, ReadError> {
        let contents = self.contents();
        let Some(oldest) = contents.unread(selection, after).next() else { return Ok(Lag::default()) };
        let beyond = contents.events.len() as u64 - after.position;
        let events = selection.share_of(beyond).max(1);
        Ok(Lag { events, oldest_unread_at: Some(oldest.event.occurred_at) })
    }

    fn appends(&self) -> AppendSignal {
        self.signal.subscribe()
    }
}
