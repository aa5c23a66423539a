//! What a lane decides on: messages, timers that came due, external calls that were answered.

use backstitch_contracts::Envelope;
use backstitch_messaging::{Delivery, TraceContext};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// One thing to decide on.
#[derive(Debug, Clone)]
pub enum Input {
    /// A decoded message.
    Message(Box<Message>),
    /// A timer whose time has come, all earlier inputs having been seen.
    Timer(Timer),
    /// An external call with its certain outcome.
    Answered(Answered),
}

impl Input {
    /// The trace that this input goes on with.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        match self {
            Self::Message(message) => message.trace.as_ref(),
            Self::Timer(timer) => timer.trace.as_ref(),
            Self::Answered(answered) => answered.job.trace.as_ref(),
        }
    }
}

/// A delivery whose value was understood.
#[derive(Debug, Clone)]
pub struct Message {
    /// The topic it was first published to, also when it was forwarded from another lane.
    pub topic: String,
    /// As it was read.
    pub delivery: Delivery,
    /// Its content, upcast to the newest version.
    pub envelope: Envelope,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
    /// Flows that it concerns and that are decided in another lane, by their keys.
    pub elsewhere: Vec<String>,
}

impl Message {
    /// The key as text, where it is text.
    #[must_use]
    pub fn key_text(&self) -> Option<&str> {
        self.delivery.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
    }
}

/// Something to be decided later.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// Unique in its lane; setting it again moves it.
    pub id: String,
    /// By the database's clock.
    pub due_at: DateTime<Utc>,
    /// Whatever the logic wants back.
    pub payload: Value,
    /// The trace to go on with.
    pub trace: Option<TraceContext>,
    /// Whether a row of the processor holds it.
    pub(crate) stored: bool,
}

impl Timer {
    /// A timer that no row holds: the logic answers it again after each claim.
    #[must_use]
    pub fn reminder(id: impl Into<String>, due_at: DateTime<Utc>, trace: Option<TraceContext>) -> Self {
        Self { id: id.into(), due_at, payload: Value::Null, trace, stored: false }
    }

    /// A timer as a row holds it.
    #[must_use]
    pub fn stored(id: impl Into<String>, due_at: DateTime<Utc>, payload: Value, trace: Option<TraceContext>) -> Self {
        Self { id: id.into(), due_at, payload, trace, stored: true }
    }

    /// Whether a row of the processor holds it.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.stored
    }
}

/// An external call to be made, outside any transaction, until its outcome is certain.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Unique in its lane, the same after a crash: the idempotency key derives from it.
    pub id: String,
    /// Which call.
    pub kind: String,
    /// Its arguments.
    pub payload: Value,
    /// The trace to go on with.
    pub trace: Option<TraceContext>,
}

/// A job and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The job.
    pub job: Job,
    /// What the caller found out.
    pub outcome: Value,
}
