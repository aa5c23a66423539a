//! Why a saga is rolled back, and who asked for something.
//!
//! Separate because both are written in the journal, shown to people and handed to compensations as `saga.reason`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// Who asked for something, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The person or program, as authenticated.
    pub who: String,
    /// What they said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl By {
    /// Somebody who gave no reason.
    pub fn who(who: &str) -> Self {
        Self { who: who.to_owned(), why: None }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{}: {why}", self.who),
            None => f.write_str(&self.who),
        }
    }
}

/// Why a saga is rolled back. `Display` is what people and compensations read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Cause {
    /// A participant said no.
    Refused {
        /// The step it refused.
        step: StepName,
        /// The event that said so.
        event_type: String,
        /// The event's own `reason`, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A participant did not answer.
    Silent {
        /// The step it did not answer to.
        step: StepName,
    },
    /// A step had no turn at its participant in the time for all its attempts.
    NoTurn {
        /// The step.
        step: StepName,
    },
    /// A finished step was taken back by itself.
    Undone {
        /// The step.
        step: StepName,
        /// The event that said so.
        event_type: String,
    },
    /// Nobody sent what a step waited for.
    NothingCame {
        /// The waiting step.
        step: StepName,
    },
    /// None of a choice's conditions held, and then the saga is to be rolled back.
    NoChoice {
        /// The step that chooses.
        step: StepName,
    },
    /// Somebody cancelled it.
    Cancelled {
        /// Who.
        by: By,
    },
    /// An observed flow was called off by those who are in it.
    CalledOff {
        /// The event that said so.
        event_type: String,
        /// The event's own `reason`, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The saga's deadline passed.
    DeadlinePassed,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { reason: Some(reason), .. } => f.write_str(reason),
            Self::CalledOff { reason: Some(reason), .. } => write!(f, "called off: {reason}"),
            Self::CalledOff { event_type, .. } => write!(f, "called off: {event_type}"),
            Self::Refused { event_type, .. } => f.write_str(event_type),
            Self::Silent { .. } => f.write_str("no reply"),
            Self::NoTurn { step } => write!(f, "{step} had no turn in time"),
            Self::Undone { step, event_type } => write!(f, "{step} was taken back: {event_type}"),
            Self::NothingCame { step } => write!(f, "nothing came for {step}"),
            Self::NoChoice { step } => write!(f, "no condition of {step} held"),
            Self::Cancelled { by } => write!(f, "cancelled by {by}"),
            Self::DeadlinePassed => f.write_str("the deadline passed"),
        }
    }
}
