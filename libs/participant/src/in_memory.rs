//! A participant's streams in memory, for whoever plays a lane in a test: the contract's suite, and this crate's own
//! stories. Separate from both, because neither may differ from the processor in what it writes and reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use backstitch_event_store::{
    AppendError, AppendRequest, Appended, ExpectedVersion, MemoryStore, Snapshot, StoredEvent, StreamId, StreamVersion,
};
use backstitch_event_store_postgres::Recovery;
use tokio::sync::mpsc;

use crate::draft::Placed;
use crate::load::Source;
use crate::snapshots::{Due, Snapshots};

/// Snapshots of a lane in a test: one after every event, each kept before the next input comes.
pub(crate) struct Album {
    kept: HashMap<StreamId, Snapshot>,
    waiting: mpsc::Receiver<Due>,
    /// What the lane is given.
    pub(crate) snapshots: Snapshots,
}

impl Album {
    pub(crate) fn new() -> Self {
        let (snapshots, waiting) = Snapshots::waiting(NonZeroU64::MIN);
        Self { kept: HashMap::new(), waiting, snapshots }
    }

    /// Keeps what the last commit made due, as it would come back from a database: as a text.
    pub(crate) fn keep(&mut self) {
        while let Ok(due) = self.waiting.try_recv() {
            let snapshot =
                due.snapshot().unwrap_or_else(|error| panic!("a state has no form that can be kept: {error}"));
            let state = serde_json::from_str(&snapshot.state.to_string());
            let state = state.unwrap_or_else(|error| panic!("a state cannot be read again: {error}"));
            self.kept.insert(snapshot.stream.clone(), Snapshot { state, ..snapshot });
        }
    }

    /// As if another one had been kept.
    #[cfg(test)]
    pub(crate) fn reforms(&mut self, stream: &StreamId, reform: impl FnOnce(&mut Snapshot)) {
        reform(self.kept.get_mut(stream).unwrap_or_else(|| panic!("`{stream}` has no snapshot")));
    }

    fn of(&self, stream: &StreamId, state_version: i32) -> Option<Snapshot> {
        self.kept.get(stream).filter(|snapshot| snapshot.state_version == state_version).cloned()
    }
}

/// The store as a lane reads it.
pub(crate) struct MemorySource<'a> {
    pub(crate) store: &'a MemoryStore,
    pub(crate) album: Option<&'a Album>,
    /// What was read, each time: streams, and the versions after which they were read.
    pub(crate) reads: Vec<Vec<(StreamId, StreamVersion)>>,
}

impl<'a> MemorySource<'a> {
    pub(crate) const fn of(store: &'a MemoryStore, album: Option<&'a Album>) -> Self {
        Self { store, album, reads: Vec::new() }
    }
}

#[async_trait]
impl Source for MemorySource<'_> {
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error> {
        self.reads.push(streams.to_vec());
        Ok(self.store.load_now(streams))
    }

    async fn recover(
        &mut self,
        streams: &[(StreamId, StreamVersion)],
        state_version: i32,
    ) -> Result<Recovery, sqlx::Error> {
        let of = |(stream, after): &(StreamId, StreamVersion)| {
            let from_its_beginning = *after == StreamVersion::NONE;
            self.album.filter(|_| from_its_beginning).and_then(|album| album.of(stream, state_version))
        };
        let snapshots: Vec<Snapshot> = streams.iter().filter_map(of).collect();
        let before = |stream: &StreamId| {
            let snapshot = snapshots.iter().find(|snapshot| snapshot.stream == *stream)?;
            Some(StreamVersion(snapshot.version.0.saturating_sub(1)))
        };
        let asked: Vec<_> =
            streams.iter().map(|(stream, after)| (stream.clone(), before(stream).unwrap_or(*after))).collect();
        let events = self.load(&asked).await?;
        Ok(Recovery { snapshots, events })
    }

    async fn lock(
        &mut self,
        streams: &BTreeSet<StreamId>,
        _may_be_missing: bool,
    ) -> Result<BTreeMap<StreamId, StreamVersion>, sqlx::Error> {
        let all: Vec<_> = streams.iter().map(|stream| (stream.clone(), StreamVersion::NONE)).collect();
        let mut heads: BTreeMap<_, _> = all.iter().cloned().collect();
        heads.extend(self.store.load_now(&all).into_iter().map(|stored| (stored.stream, stored.version)));
        Ok(heads)
    }
}

/// What a batch appends, each stream from where the lane takes it to be.
pub(crate) fn request(appended: Vec<Placed>) -> AppendRequest {
    let mut streams: BTreeMap<StreamId, (StreamVersion, Vec<_>)> = BTreeMap::new();
    for (stream, version, event) in appended {
        let (first, events) = streams.entry(stream).or_insert((version, Vec::new()));
        assert_eq!(version, StreamVersion(first.0 + events.len() as u64), "versions follow one another");
        events.push(event);
    }
    streams.into_iter().fold(AppendRequest::new(), |request, (stream, (first, events))| {
        request.write(stream, ExpectedVersion::Exact(StreamVersion(first.0 - 1)), events)
    })
}

/// As a lane's statement does: where the heads are not as expected it is a conflict, even if the events are the same.
pub(crate) fn write(store: &MemoryStore, request: AppendRequest) -> Result<Appended, AppendError> {
    let streams: Vec<_> = request.streams().into_iter().map(|stream| (stream, StreamVersion::NONE)).collect();
    let events = store.load_now(&streams);
    request.check(&events.into_iter().map(|event| (event.stream, event.version)).collect())?;
    store.append_now(request)
}

/// What a future comes to that waits for nothing.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}
