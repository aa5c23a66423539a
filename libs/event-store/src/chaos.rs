//! A store that misbehaves as stores do: conflicts, failures before and after the commit, slowness. For a team's own
//! tests, around any store. One seed gives one sequence of mishaps, so that a failure can be seen again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    AppendError, AppendRequest, AppendSignal, Appended, Cursor, EventStore, Lag, Page, ReadError, Selection, Slice,
    StoredEvent, StreamId, StreamVersion,
};

/// How often what goes wrong, each from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mishaps {
    /// An append meets a conflict.
    pub conflicts: f64,
    /// An append fails, and nothing is written.
    pub failures: f64,
    /// An append is written, and its answer is lost: to the caller it looks like a failure.
    pub lost_answers: f64,
    /// A read fails.
    pub unreadable: f64,
    /// An append or a read takes longer.
    pub slow: f64,
    /// By how much, at most.
    pub slow_by: Duration,
}

impl Mishaps {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        conflicts: 0.0,
        failures: 0.0,
        lost_answers: 0.0,
        unreadable: 0.0,
        slow: 0.0,
        slow_by: Duration::from_millis(5),
    };

    /// Everything goes wrong now and then.
    pub const BAD_DAY: Self =
        Self { conflicts: 0.2, failures: 0.1, lost_answers: 0.1, unreadable: 0.05, slow: 0.1, ..Self::NONE };
}

/// A failure that the chaos made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chaos of a test made this fail")]
pub struct MadeUp;

/// Any store, misbehaving.
pub struct ChaosStore {
    inner: Arc<dyn EventStore>,
    mishaps: Mishaps,
    dice: Mutex<fastrand::Rng>,
}

impl ChaosStore {
    /// `inner` with `mishaps`; `seed` decides which and when.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>, mishaps: Mishaps, seed: u64) -> Self {
        Self { inner, mishaps, dice: Mutex::new(fastrand::Rng::with_seed(seed)) }
    }

    fn happens(&self, chance: f64) -> bool {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).f64() < chance
    }

    async fn dawdle(&self) {
        if self.happens(self.mishaps.slow) {
            let part = self.dice.lock().unwrap_or_else(PoisonError::into_inner).f64();
            tokio::time::sleep(self.mishaps.slow_by.mul_f64(part)).await;
        }
    }

    async fn before_reading(&self) -> Result<(), ReadError> {
        self.dawdle().await;
        if self.happens(self.mishaps.unreadable) { Err(ReadError { source: MadeUp.into() }) } else { Ok(()) }
    }
}

#[async_trait]
impl EventStore for ChaosStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.dawdle().await;
        if self.happens(self.mishaps.failures) {
            return Err(AppendError::Store { source: MadeUp.into() });
        }
        if self.happens(self.mishaps.conflicts)
            && let Some((stream, expected)) = request.claims().next()
        {
            let actual = self.inner.head(stream).await.map_err(|error| AppendError::Store { source: error.into() })?;
            return Err(AppendError::Conflict { stream: stream.clone(), expected, actual: actual.after(1) });
        }
        let appended = self.inner.append(request).await?;
        if self.happens(self.mishaps.lost_answers) {
            return Err(AppendError::Store { source: MadeUp.into() });
        }
        Ok(appended)
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        self.before_reading().await?;
        self.inner.load_many(streams).await
    }

    async fn read_stream(&self, stream: &StreamId, slice: Slice, limit: u32) -> Result<Vec<StoredEvent>, ReadError> {
        self.before_reading().await?;
        self.inner.read_stream(stream, slice, limit).await
    }

    async fn read(&self, selection: &Selection, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        self.before_reading().await?;
        self.inner.read(selection, after, limit).await
    }

    async fn event(&self, event_id: Uuid) -> Result<Option<StoredEvent>, ReadError> {
        self.before_reading().await?;
        self.inner.event(event_id).await
    }

    async fn end(&self) -> Result<Cursor, ReadError> {
        self.before_reading().await?;
        self.inner.end().await
    }

    async fn lag(&self, selection: &Selection, after: Cursor) -> Result<Lag, ReadError> {
        self.before_reading().await?;
        self.inner.lag(selection, after).await
    }

    fn appends(&self) -> AppendSignal {
        self.inner.appends()
    }
}
