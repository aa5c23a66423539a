//! What can happen to a saga from outside.
//!
//! Separate because it is the whole of the engine's ear: messages, timers and people, nothing else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::cause::By;
use crate::definition::StartedBy;
use crate::ids::{Direction, StepName};
use crate::sub_saga::Parent;

/// An event of a flow that is only observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What the saga starts with, if it is the first to come.
    pub start: Start,
    /// The event.
    pub event: Reply,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// The saga is to start.
    Start(Start),
    /// An event on a topic the definition reads.
    Reply(Reply),
    /// An event of a flow that is only observed. Whichever comes first begins the saga: events come on several topics, and
    /// may overtake each other.
    Seen(Seen),
    /// A step's time is up. It names its attempt, so that one of an earlier attempt is recognised.
    Deadline {
        /// The step.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// A step's turn at its participant has come.
    Turn {
        /// The step.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
    },
    /// The saga's time is up.
    SagaDeadline,
    /// Somebody wants it rolled back.
    Cancel {
        /// Who.
        by: By,
    },
    /// Somebody wants it to stand still.
    Pause {
        /// Who.
        by: By,
    },
    /// Somebody wants a paused saga to go on.
    Resume {
        /// Who.
        by: By,
    },
    /// Somebody wants a stuck saga to try again.
    Retry {
        /// Who.
        by: By,
    },
    /// Somebody settled a stuck step by hand: go on as if it had been done.
    Skip {
        /// Who.
        by: By,
    },
    /// Somebody gives a stuck saga up.
    Abandon {
        /// Who.
        by: By,
    },
    /// A signal, which a step may wait for.
    Signal(Signal),
    /// The step that started it wants it rolled back.
    CancelByParent(ParentCancel),
}

/// What the step that started a saga wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParentCancel {
    /// The step.
    pub parent: Parent,
    /// The saga's key.
    pub key: String,
    /// Whether it is to be rolled back even if it has completed.
    pub completed_too: bool,
    /// Why.
    pub reason: Option<String>,
}

/// A saga's beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The saga's key.
    pub key: String,
    /// What becomes `saga.data`.
    pub data: Arc<Value>,
    /// The event that started it; absent when somebody asked by name.
    pub started_by: Option<StartedBy>,
    /// Id of the event or command that started it.
    pub event_id: Uuid,
    /// Id of the whole flow.
    pub correlation_id: Uuid,
    /// The user on whose behalf it runs.
    pub user_id: Option<String>,
    /// The step of another saga that wants it and waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// An event from a participant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The topic it came on.
    pub topic: String,
    /// Its type.
    pub event_type: String,
    /// Its version.
    pub event_version: i32,
    /// Its id.
    pub event_id: Uuid,
    /// Id of what caused it, if its producer says.
    pub causation_id: Option<Uuid>,
    /// The try it answers, if its producer says.
    pub answers_try: Option<u32>,
    /// The aggregate it is about.
    pub aggregate_id: String,
    /// What it says.
    pub data: Value,
}

/// A signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// What it says; becomes the waiting step's result.
    pub data: Value,
    /// Who sent it.
    pub by: By,
}

impl Input {
    /// A stable name, for metrics and logs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "Start",
            Self::Reply(_) => "Reply",
            Self::Seen(_) => "Seen",
            Self::Deadline { .. } => "Deadline",
            Self::Turn { .. } => "Turn",
            Self::SagaDeadline => "SagaDeadline",
            Self::Cancel { .. } => "Cancel",
            Self::Pause { .. } => "Pause",
            Self::Resume { .. } => "Resume",
            Self::Retry { .. } => "Retry",
            Self::Skip { .. } => "Skip",
            Self::Abandon { .. } => "Abandon",
            Self::Signal(_) => "Signal",
            Self::CancelByParent(_) => "CancelByParent",
        }
    }
}
