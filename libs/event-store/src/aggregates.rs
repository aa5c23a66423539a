//! Loading aggregates: from memory, from a snapshot, from their events, and deciding on them. Snapshots are taken beside
//! the way that callers wait on.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use backon::Retryable as _;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use lru::LruCache;
use tokio::sync::mpsc;

use crate::aggregate::Aggregate;
use crate::data::{DataError, EventData as _};
use crate::flow::Flow;
use crate::retry::{DecideError, RetryPolicy, count_conflict};
use crate::snapshot::{Snapshot, SnapshotStore};
use crate::{
    AppendRequest, Appended, EventStore, ExpectedVersion, ReadError, Slice, StreamId, StreamVersion, events_of,
};

/// Aggregates kept in memory unless said otherwise.
const CACHED_MAX: usize = 10_000;
/// Snapshots that may wait to be kept; beyond them a snapshot is left for the next load.
const SNAPSHOTS_WAITING_MAX: usize = 64;
/// Events read at once.
const PAGE_MAX: u32 = 1_000;

/// An aggregate as it was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered<A> {
    /// Its state.
    pub state: A,
    /// The version of its stream.
    pub version: StreamVersion,
    // Where its newest snapshot, kept or on its way, stands.
    snapshot: StreamVersion,
}

/// As of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this event.
    Version(StreamVersion),
    /// Before the first event that happened later than this.
    Time(DateTime<Utc>),
}

/// Why an aggregate was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store could not be read.
    #[error("the stream of an aggregate could not be read")]
    Read(#[from] ReadError),
    /// An event could not be understood.
    #[error("event {version} of stream `{stream}` is not understood")]
    Data {
        /// The stream.
        stream: StreamId,
        /// The event.
        version: StreamVersion,
        /// What is wrong.
        #[source]
        source: DataError,
    },
}

/// The aggregates of one kind.
///
/// Metrics, by `aggregate`: `aggregate_recovery_seconds` (also by `from`: `memory`, `snapshot`, `events`),
/// `aggregate_snapshots_total` (by `outcome`: `kept`, `left`, `failed`), `aggregate_snapshot_seconds`.
pub struct Aggregates<A: Aggregate> {
    store: Arc<dyn EventStore>,
    snapshots: Arc<dyn SnapshotStore>,
    cache: Mutex<LruCache<StreamId, Recovered<A>>>,
    due: mpsc::Sender<(StreamId, StreamVersion, A)>,
}

impl<A: Aggregate> Aggregates<A> {
    /// Reads from `store` and keeps snapshots in `snapshots`. Needs a Tokio runtime for the task that takes them, which
    /// ends with this.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, snapshots: Arc<dyn SnapshotStore>) -> Self {
        let (due, waiting) = mpsc::channel(SNAPSHOTS_WAITING_MAX);
        tokio::spawn(take_snapshots::<A>(waiting, Arc::clone(&snapshots)));
        Self { store, snapshots, cache: Mutex::new(LruCache::new(at_least_one(CACHED_MAX))), due }
    }

    /// The same, keeping at most `aggregates_max` in memory.
    #[must_use]
    pub fn caching(self, aggregates_max: usize) -> Self {
        Self { cache: Mutex::new(LruCache::new(at_least_one(aggregates_max))), ..self }
    }

    /// The aggregate as of now. One without events is the default at version 0.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(&self, stream: &StreamId) -> Result<Recovered<A>, LoadError> {
        let began = Instant::now();
        let cached = self.cache().get(stream).cloned();
        let (from, start) = match cached {
            Some(cached) => ("memory", cached),
            None => self.newest_snapshot(stream).await?,
        };
        let recovered = self.catch_up(stream, start).await?;
        metrics::histogram!("aggregate_recovery_seconds", "aggregate" => A::NAME, "from" => from)
            .record(began.elapsed());
        Ok(self.remember(stream, recovered))
    }

    /// Loads the aggregate, lets `decide` say what happens, and appends that; on a conflict all of it again, as `policy`
    /// says.
    ///
    /// # Errors
    /// See [`DecideError`]. Only conflicts are tried again.
    pub async fn decide<E>(
        &self,
        stream: &StreamId,
        flow: &Flow,
        policy: &RetryPolicy,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Appended, DecideError<E>> {
        let attempt = || async {
            let mut recovered = self.load(stream).await?;
            let decided = decide(&recovered.state).map_err(DecideError::Refused)?;
            if decided.is_empty() {
                return Ok(Appended::default());
            }
            let now = Utc::now();
            let events = decided.iter().enumerate().map(|(nth, event)| flow.event(nth, stream, event, now));
            let events = events.collect::<Result<Vec<_>, _>>().map_err(|error| ReadError { source: error.into() })?;
            let request = AppendRequest::new().write(stream.clone(), ExpectedVersion::Exact(recovered.version), events);
            let appended = self.store.append(request).await?;
            // A repeat's answer lies behind what was loaded, which has it already.
            if appended.heads.get(stream).is_some_and(|head| *head == recovered.version.after(decided.len())) {
                decided.iter().for_each(|event| recovered.state.apply(event));
                recovered.version = recovered.version.after(decided.len());
                self.remember(stream, recovered);
            }
            Ok(appended)
        };
        attempt.retry(policy.backoff()).when(DecideError::is_conflict).notify(|_, _| count_conflict()).await
    }

    /// The aggregate as it was. Folded from its events; a version may begin from the snapshot.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn as_of(&self, stream: &StreamId, as_of: AsOf) -> Result<Recovered<A>, LoadError> {
        let start = match as_of {
            AsOf::Version(version) => self.newest_snapshot(stream).await?.1.not_after(version),
            AsOf::Time(_) => Recovered::default(),
        };
        let is_in = |version, at| match as_of {
            AsOf::Version(last) => version <= last,
            AsOf::Time(last) => at <= last,
        };
        self.fold(stream, start, is_in).await
    }

    async fn newest_snapshot(&self, stream: &StreamId) -> Result<(&'static str, Recovered<A>), LoadError> {
        let snapshot = self.snapshots.newest(stream).await?;
        let usable = snapshot.filter(|snapshot| snapshot.state_version == A::STATE_VERSION);
        let Some(Snapshot { version, state, .. }) = usable else { return Ok(("events", Recovered::default())) };
        match serde_json::from_value(state) {
            Ok(state) => Ok(("snapshot", Recovered { state, version, snapshot: version })),
            Err(error) => {
                tracing::warn!(%stream, %error, "a snapshot is not understood, and taken anew");
                Ok(("events", Recovered::default()))
            }
        }
    }

    async fn catch_up(&self, stream: &StreamId, start: Recovered<A>) -> Result<Recovered<A>, LoadError> {
        self.fold(stream, start, |_, _| true).await
    }

    async fn fold(
        &self,
        stream: &StreamId,
        start: Recovered<A>,
        is_in: impl Fn(StreamVersion, DateTime<Utc>) -> bool + Send,
    ) -> Result<Recovered<A>, LoadError> {
        let slice = Slice::After(start.version);
        let mut events = events_of(&*self.store, stream.clone(), slice, PAGE_MAX).boxed();
        let mut recovered = start;
        while let Some(stored) = events.try_next().await? {
            if !is_in(stored.version, stored.event.occurred_at) {
                break;
            }
            let event = A::Event::of_stored(&stored).map_err(|source| LoadError::Data {
                stream: stream.clone(),
                version: stored.version,
                source,
            })?;
            recovered.state.apply(&event);
            recovered.version = stored.version;
        }
        Ok(recovered)
    }

    /// Keeps it in memory, and has a snapshot taken when one is due.
    fn remember(&self, stream: &StreamId, mut recovered: Recovered<A>) -> Recovered<A> {
        if recovered.version.0 >= recovered.snapshot.0 + A::SNAPSHOT_EVERY.max(1) {
            let due = (stream.clone(), recovered.version, recovered.state.clone());
            match self.due.try_send(due) {
                Ok(()) => recovered.snapshot = recovered.version,
                Err(_) => count_snapshot::<A>("left"),
            }
        }
        let mut cache = self.cache();
        // A slower load must not put an older state over a newer one.
        if cache.peek(stream).is_none_or(|cached| cached.version <= recovered.version) {
            cache.put(stream.clone(), recovered.clone());
        }
        recovered
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, LruCache<StreamId, Recovered<A>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Default> Default for Recovered<A> {
    fn default() -> Self {
        Self { state: A::default(), version: StreamVersion::NONE, snapshot: StreamVersion::NONE }
    }
}

impl<A: Default> Recovered<A> {
    fn not_after(self, version: StreamVersion) -> Self {
        if self.version <= version { self } else { Self::default() }
    }
}

impl<E> From<LoadError> for DecideError<E> {
    fn from(error: LoadError) -> Self {
        Self::Read(ReadError { source: error.into() })
    }
}

async fn take_snapshots<A: Aggregate>(
    mut due: mpsc::Receiver<(StreamId, StreamVersion, A)>,
    snapshots: Arc<dyn SnapshotStore>,
) {
    while let Some((stream, version, state)) = due.recv().await {
        let began = Instant::now();
        let kept = match serde_json::to_value(&state) {
            Ok(state) => {
                snapshots
                    .keep(Snapshot { stream: stream.clone(), version, state_version: A::STATE_VERSION, state })
                    .await
            }
            Err(error) => Err(ReadError { source: error.into() }),
        };
        match kept {
            Ok(()) => count_snapshot::<A>("kept"),
            Err(error) => {
                tracing::warn!(%stream, error = &error as &dyn std::error::Error, "a snapshot was not kept");
                count_snapshot::<A>("failed");
            }
        }
        metrics::histogram!("aggregate_snapshot_seconds", "aggregate" => A::NAME).record(began.elapsed());
    }
}

fn count_snapshot<A: Aggregate>(outcome: &'static str) {
    metrics::counter!("aggregate_snapshots_total", "aggregate" => A::NAME, "outcome" => outcome).increment(1);
}

fn at_least_one(max: usize) -> NonZeroUsize {
    NonZeroUsize::new(max).unwrap_or(NonZeroUsize::MIN)
}
