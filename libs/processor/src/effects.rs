//! What deciding a batch obliges the processor to do. Collected in memory, written in the batch's one statement.

use std::collections::BTreeMap;

use backstitch_contracts::headers;
use backstitch_messaging::{Record, TraceContext};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::input::{Job, Timer};

/// What becomes of a timer.
#[derive(Debug, Clone)]
pub enum TimerChange {
    /// It rings at its time, and at no other.
    Set(Timer),
    /// It does not ring.
    Cancel,
}

/// Collects the effects of one batch.
#[derive(Debug, Default)]
pub struct Effects {
    pub(crate) records: Vec<Record>,
    pub(crate) timers: BTreeMap<String, TimerChange>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) answered: Vec<String>,
    pub(crate) skipped: u64,
    pub(crate) trace: Option<TraceContext>,
}

impl Effects {
    /// Publishes a record after the commit, in the order of these calls. It carries on the input's trace unless it has
    /// one already.
    pub fn publish(&mut self, mut record: Record) {
        if let Some(trace) = &self.trace
            && !record.headers.iter().any(|(name, _)| name == headers::TRACEPARENT)
        {
            record.headers.extend(trace.headers());
        }
        self.records.push(record);
    }

    /// Wakes the lane at `due_at`; survives restarts. Setting the same id again moves it.
    pub fn set_timer(&mut self, id: impl Into<String>, due_at: DateTime<Utc>, payload: Value) {
        let timer = Timer { id: id.into(), due_at, payload, trace: self.trace.clone(), stored: true };
        self.timers.insert(timer.id.clone(), TimerChange::Set(timer));
    }

    /// Like [`Effects::set_timer`], but not written: for a logic that derives its timers from its own rows and answers
    /// them again from [`crate::Logic::claimed`].
    pub fn remind(&mut self, id: impl Into<String>, due_at: DateTime<Utc>) {
        self.remind_on(self.trace.clone(), id, due_at);
    }

    /// The same on a trace other than the input's: for what the input has only made room for.
    pub fn remind_on(&mut self, trace: Option<TraceContext>, id: impl Into<String>, due_at: DateTime<Utc>) {
        let timer = Timer::reminder(id, due_at, trace);
        self.timers.insert(timer.id.clone(), TimerChange::Set(timer));
    }

    /// Takes a timer back; unknown ids are fine.
    pub fn cancel_timer(&mut self, id: impl Into<String>) {
        self.timers.insert(id.into(), TimerChange::Cancel);
    }

    /// Makes an external call after the commit; its outcome comes back as an input, also after a crash.
    pub fn call(&mut self, id: impl Into<String>, kind: impl Into<String>, payload: Value) {
        let trace = self.trace.clone();
        self.jobs.push(Job { id: id.into(), kind: kind.into(), payload, trace });
    }

    /// Counts an input that this consumer does not care for.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// The trace of the input being decided.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.timers.is_empty() && self.jobs.is_empty() && self.answered.is_empty()
    }

    /// The records collected so far, in the order in which they will be published.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What becomes of timers, by their ids.
    pub fn timers(&self) -> impl Iterator<Item = (&str, &TimerChange)> {
        self.timers.iter().map(|(id, change)| (id.as_str(), change))
    }

    /// External calls to be made.
    #[must_use]
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Ids of calls whose outcome has been decided on.
    #[must_use]
    pub fn answered(&self) -> &[String] {
        &self.answered
    }

    /// When the timer of this id will ring; `None` where it was not set, or was taken back.
    #[must_use]
    pub fn rings_at(&self, timer: &str) -> Option<DateTime<Utc>> {
        match self.timers.get(timer)? {
            TimerChange::Set(timer) => Some(timer.due_at),
            TimerChange::Cancel => None,
        }
    }
}
