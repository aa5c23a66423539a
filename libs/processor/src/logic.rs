//! What a service adds to the processor: how its lanes load, decide and write. The processor owns everything else.

use std::borrow::Cow;

use async_trait::async_trait;
use backstitch_contracts::Envelope;
use backstitch_messaging::LaneId;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::database::Database;
use crate::effects::Effects;
use crate::input::{Input, Job, Message, Timer};

/// Why an input cannot be handled, now or ever: it becomes a dead letter and the lane goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejection {
    /// A stable word for grouping: `unknown-command`, `invalid`, ….
    pub reason: &'static str,
    /// What exactly is wrong, for a person.
    pub detail: String,
}

impl Rejection {
    /// A command that nobody here handles.
    #[must_use]
    pub fn unknown_command(command: &str) -> Self {
        Self { reason: "unknown-command", detail: format!("no handler for the command `{command}`") }
    }

    /// A message whose content breaks the contract.
    #[must_use]
    pub fn invalid(detail: impl std::fmt::Display) -> Self {
        Self { reason: "invalid", detail: detail.to_string() }
    }
}

/// What use a message may be, before its data are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It cannot matter here: passed over, and counted.
    Never,
    /// It may matter, but nobody waits for what follows: kept back for a tenth of a second at most, so that it shares a
    /// transaction with what comes meanwhile.
    Soon,
    /// It may matter.
    Now,
}

/// How to read before deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// What is not in memory may be taken as absent where it most likely is: a wrong guess fails as a conflict.
    Optimistic,
    /// After a conflict: read everything.
    Thorough,
}

/// The decisions of one lane. One value a lane; used by one task. Pure: what it reads and writes is said by [`LogicOn`].
///
/// The processor calls, for each batch: [`load`](LogicOn::load), then [`decide`](Logic::decide) for each input in order,
/// then [`write`](LogicOn::write), and after the commit [`committed`](Logic::committed), or else
/// [`aborted`](Logic::aborted), after which the same inputs may be decided again, with or without another load.
pub trait Logic: Send + Sync + 'static {
    /// What use a message of this topic may be, going by its envelope, of which everything but `data` is read (they may
    /// be null).
    fn use_for(&self, _topic: &str, _heading: &Envelope) -> Use {
        Use::Now
    }

    /// The keys of the flows that the message concerns: the hash of each says the lane where the message is decided for
    /// that flow. None leaves it where it arrived.
    fn flow_keys<'a>(&self, message: &'a Message) -> Vec<Cow<'a, str>>;

    /// Whether deciding these inputs needs rows that other lanes write too. If so, load, decide and write run in one
    /// explicit transaction, and [`load`](LogicOn::load) locks those rows in sorted order.
    fn needs_locks(&self, _inputs: &[&Input]) -> bool {
        false
    }

    /// Decides one input against what earlier inputs of the batch left. Pure: `now` is the lane's clock.
    ///
    /// # Errors
    /// A [`Rejection`] makes it a dead letter; nothing may have been staged for this input then.
    fn decide(&mut self, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection>;

    /// The batch is durable: what was staged is now the truth.
    fn committed(&mut self);

    /// The batch was not written: what was staged never happened.
    fn aborted(&mut self);
}

/// How a lane's decisions are kept in a database: a thin adapter around the pure [`Logic`].
#[async_trait]
pub trait LogicOn<D: Database = PgConnection>: Logic {
    /// The lane was claimed under a new epoch: forget everything, read what must be in memory, and answer the timers
    /// that were set by [`Effects::remind`].
    async fn claimed(&mut self, lane: LaneId, db: &mut D) -> Result<Vec<Timer>, sqlx::Error>;

    /// Reads what deciding needs and memory lacks, at best in one round trip, or none.
    async fn load(&mut self, inputs: &[&Input], loading: Loading, db: &mut D) -> Result<(), sqlx::Error>;

    /// Adds the staged rows to what the batch writes.
    fn write(&mut self, batch: &mut D::Batch);
}

/// Makes external calls. Shared by all lanes of a process.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Makes the call, again and again with the same idempotency key if need be, until its outcome is certain.
    async fn call(&self, job: &Job) -> Value;
}

/// For processors that make no external calls.
pub struct NoCalls;

#[async_trait]
impl Caller for NoCalls {
    async fn call(&self, job: &Job) -> Value {
        tracing::error!(job = %job.id, kind = %job.kind, "nobody makes calls of this kind here");
        std::future::pending().await
    }
}
