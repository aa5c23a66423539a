//! Deciding again after a conflict. Separate from the store, because it is the caller's decision that is repeated.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::{AppendError, AppendRequest, Appended, EventStore, ReadError, StoredEvent, StreamId, StreamVersion};

/// How often a decision that met a conflict is made again, and with what pauses.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Tries in all. 20 by default.
    pub attempts_max: usize,
    /// The pause after the first conflict, which doubles; each is lengthened by up to its own length at random, so that
    /// those who collided do not collide again. 2 ms by default.
    pub delay_min: Duration,
    /// The longest pause before it is lengthened. 250 ms by default.
    pub delay_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts_max: 20, delay_min: Duration::from_millis(2), delay_max: Duration::from_millis(250) }
    }
}

impl RetryPolicy {
    /// One try only.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }

    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.delay_min)
            .with_max_delay(self.delay_max)
            .with_max_times(self.attempts_max.saturating_sub(1))
            .with_jitter()
    }
}

/// Why a decision came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DecideError<E> {
    /// The decision said no.
    #[error("the decision was a no")]
    Refused(#[source] E),
    /// The streams could not be read.
    #[error("the streams could not be read")]
    Read(#[from] ReadError),
    /// The events could not be appended; a conflict is one that remained after the last try.
    #[error("the decision could not be written")]
    Append(#[from] AppendError),
}

/// What a decision rests on: some streams as they were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Their events, each stream's in order.
    pub events: Vec<StoredEvent>,
    streams: Vec<StreamId>,
}

impl Loaded {
    /// Where `stream` was.
    #[must_use]
    pub fn version(&self, stream: &StreamId) -> StreamVersion {
        let versions = self.events.iter().filter(|event| event.stream == *stream).map(|event| event.version);
        versions.max().unwrap_or(StreamVersion::NONE)
    }

    /// An append that fails unless all that was read still stands: add the writes to it, each with
    /// `Exact(version(stream))`; what is not written is then checked as read.
    #[must_use]
    pub fn guard(&self, mut request: AppendRequest) -> AppendRequest {
        for stream in &self.streams {
            if request.claims().all(|(claimed, _)| claimed != stream) {
                request = request.read(stream.clone(), self.version(stream));
            }
        }
        request
    }
}

/// Reads `streams`, lets `decide` say what is to be appended, and appends it provided that none of them has moved; on a
/// conflict all of it again, as `policy` says.
///
/// # Errors
/// See [`DecideError`]. Only conflicts are tried again.
pub async fn decide_and_append<E>(
    store: &dyn EventStore,
    streams: &[StreamId],
    policy: &RetryPolicy,
    decide: impl Fn(&Loaded) -> Result<AppendRequest, E>,
) -> Result<Appended, DecideError<E>> {
    let asked: Vec<_> = streams.iter().map(|stream| (stream.clone(), StreamVersion::NONE)).collect();
    let attempt = || async {
        let loaded = Loaded { events: store.load_many(&asked).await?, streams: streams.to_vec() };
        let request = decide(&loaded).map_err(DecideError::Refused)?;
        Ok(store.append(loaded.guard(request)).await?)
    };
    attempt.retry(policy.backoff()).when(DecideError::is_conflict).notify(|_, _| count_conflict()).await
}

impl<E> DecideError<E> {
    /// Whether another writer was faster.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Append(AppendError::Conflict { .. }))
    }
}

pub(crate) fn count_conflict() {
    metrics::counter!("event_store_decisions_repeated_total").increment(1);
}
