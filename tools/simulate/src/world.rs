//! What all parts of one run share: the seed, virtual time, the mistake under test, and the trace. Separate, because it
//! is the only thing that everybody knows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::mutation::Mutation;

/// When every run begins.
const BEGINNING: DateTime<Utc> = match DateTime::from_timestamp(1_800_000_000, 0) {
    Some(beginning) => beginning,
    None => DateTime::UNIX_EPOCH,
};

/// A run with so many points of input and output will never settle.
const STEPS_MAX: u64 = 400_000;

/// What a run's parts share.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) mutation: Option<Mutation>,
    began: Instant,
    lines: Option<Mutex<Vec<String>>>,
    steps: AtomicU64,
    exhausted: Notify,
    calm: AtomicBool,
}

impl World {
    /// Needs a runtime whose clock stands still.
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, traced: bool) -> Arc<Self> {
        Arc::new(Self {
            seed,
            mutation,
            began: Instant::now(),
            lines: traced.then(Mutex::default),
            steps: AtomicU64::new(0),
            exhausted: Notify::new(),
            calm: AtomicBool::new(false),
        })
    }

    pub(crate) fn dice(&self, name: &str) -> Dice {
        Dice::of(self.seed, name)
    }

    pub(crate) fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Virtual time since the run began.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.began.elapsed()
    }

    /// The clock of every database.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        BEGINNING + TimeDelta::from_std(self.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// A moment of a database's clock, as virtual time.
    pub(crate) fn since_beginning(&self, micros: i64) -> std::time::Duration {
        let since = micros.saturating_sub(BEGINNING.timestamp_micros());
        std::time::Duration::from_micros(u64::try_from(since).unwrap_or(0))
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Counts a point of input or output.
    pub(crate) fn step(&self) {
        if self.steps.fetch_add(1, Ordering::Relaxed) == STEPS_MAX {
            self.exhausted.notify_one();
        }
    }

    /// Whether there were more points than any run needs.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.steps() > STEPS_MAX
    }

    /// Waits until there were: a run that goes round in circles may do so without end before its next act.
    pub(crate) async fn exhausted(&self) {
        self.exhausted.notified().await;
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Adds a line to the trace, if there is one.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let at = self.elapsed();
            lock(lines).push(format!("{:>12.3}s  {}", at.as_secs_f64(), line()));
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.lines.as_ref().map(|lines| lock(lines).clone()).unwrap_or_default()
    }
}

/// One thread runs a world, so nobody ever waits here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
