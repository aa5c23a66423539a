//! Where a saga stands.
//!
//! Separate because it is one enum, stored as it is: nothing can be both completed and rolling back.

mod open;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use views::{OpenDeadline, Outcome};

use crate::cause::{By, Cause};
use crate::definition::StartedBy;
use crate::ids::{Direction, SagaId, StepName};
use crate::input::Reply;
use crate::sub_saga::Parent;
use crate::time::Timestamp;

/// Where a saga stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Nobody has heard of it.
    #[default]
    NotStarted,
    /// It may not start: cancelled before its start, or its start was refused.
    Refused(Refusal),
    /// Doing its steps.
    Advancing(Advancing),
    /// Undoing them.
    RollingBack(RollingBack),
    /// Standing still because somebody said so.
    Paused(Paused),
    /// Standing still because only a person can say how to go on.
    Stuck(Stuck),
    /// All steps are done.
    Completed(Ended),
    /// Everything is undone.
    RolledBack(Ended),
    /// A person gave it up.
    Abandoned(Ended),
}

/// A saga that may not start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Who cancelled it before its start; absent when the start itself was refused.
    pub by: Option<By>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// What is true of a saga from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saga {
    /// Its id.
    pub id: SagaId,
    /// Its key.
    pub key: String,
    /// `saga.data`. Shared by all that is made of it, since it stays as it was.
    pub data: Arc<Value>,
    /// What later steps use of earlier ones, by the step's identifier.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub results: Map<String, Value>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it will be rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The event that started it; absent when somebody asked by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<StartedBy>,
    /// Id of the event or command that started it.
    pub causation_id: Uuid,
    /// Id of the whole flow.
    pub correlation_id: Uuid,
    /// The user on whose behalf it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The step of another saga that waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Whether it only observes what others do by themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Steps passed, in order of completion.
    pub passed: Vec<Passed>,
    /// The branch that each choice took, from 0; none when no condition held.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen: BTreeMap<StepName, Option<u32>>,
    /// The items of each list that is worked on, or was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<StepName, Vec<Value>>,
    /// What steps will wait for and came early, by step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub early: BTreeMap<StepName, Early>,
}

/// A step that is behind the saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The step.
    pub step: StepName,
    /// How it was passed.
    pub how: How,
}

/// How a step was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was done.
    Done,
    /// Its condition did not hold.
    NotNeeded,
    /// A person settled it by hand.
    Settled,
    /// It was done and then taken back by itself.
    Undone,
}

/// Something that came before its step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Early {
    /// The event's id; absent for signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// What later steps use of it.
    pub result: Value,
}

/// Something under way: a command, a delay, or waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The step.
    pub step: StepName,
    /// How often it was asked, from 1; 0 while it waits for its first turn.
    pub attempt: u32,
    /// Raised when an answer asked for another try.
    pub try_number: u32,
    /// Attempts made before a person asked for more of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts_before: u32,
    /// How many attempts fell silent: it may have happened.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silences: u32,
    /// When the first of these attempts began.
    pub since: Timestamp,
    /// What is being waited for.
    pub waiting: Waiting,
    /// Answers that asked for another try, to be ignored when they come again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Uuid>,
}

// Serde asks for a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What something open is waiting for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Waiting {
    /// An answer.
    Answer {
        /// When the attempt ends.
        until: Timestamp,
    },
    /// The time to ask again.
    NextAttempt {
        /// That time.
        until: Timestamp,
        /// Whether an answer asked for it; after silence the try stays.
        raises_try: bool,
    },
    /// A turn at a participant that is asked by only so many at once.
    Turn {
        /// The participant: the topic of its commands.
        participant: String,
        /// Since when; the first in the queue is the next.
        queued_at: Timestamp,
        /// When waiting ends, if it does: with the time for all attempts.
        until: Option<Timestamp>,
        /// Whether an answer asked for another try; after silence the try stays.
        raises_try: bool,
        /// Id of the event that led to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        causation_id: Option<Uuid>,
    },
    /// A delay's end.
    Delay {
        /// That end.
        until: Timestamp,
    },
    /// A signal or event.
    Arrival {
        /// When waiting ends, if it does.
        until: Option<Timestamp>,
    },
    /// A person: the answer was no, and it may not be.
    AfterRefusal,
    /// A person: no answer came, and none is waited for any more.
    AfterSilence,
}

/// A saga doing its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advancing {
    /// The saga.
    pub saga: Box<Saga>,
    /// What is under way.
    pub open: Vec<Open>,
}

/// A saga undoing its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollingBack {
    /// The saga.
    pub saga: Box<Saga>,
    /// What is under way.
    pub open: Vec<Open>,
    /// Why.
    pub cause: Cause,
    /// What is still to be undone: steps of one stage together, stages one after the other.
    pub stages: Vec<Vec<StepName>>,
}

/// The way a saga was going when it was brought to a stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "going", rename_all = "snake_case")]
pub enum Course {
    /// Forward.
    Advancing(Advancing),
    /// Back.
    RollingBack(RollingBack),
}

/// A saga that stands still because somebody said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// Where it was going.
    pub course: Course,
    /// Who said so.
    pub by: By,
    /// Since when: its clock stands still from here.
    pub at: Timestamp,
    /// Replies that came meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Reply>,
}

/// A saga that needs a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stuck {
    /// Where it was going.
    pub course: Course,
    /// The step that cannot go on.
    pub step: StepName,
    /// Why.
    pub reason: String,
    /// Since when: its clock stands still from here.
    pub at: Timestamp,
    /// Replies to other steps that came meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Reply>,
}

/// A saga that is over; little is kept of it, the journal has the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub id: SagaId,
    /// Its key.
    pub key: String,
    /// Id of the whole flow.
    pub correlation_id: Uuid,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Why it was rolled back or abandoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The step of another saga that was told of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The whole of it, where it has completed and may yet be rolled back: by its parent, or as an observed flow goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<Saga>>,
}

impl Course {
    /// The saga.
    pub const fn saga(&self) -> &Saga {
        match self {
            Self::Advancing(advancing) => &advancing.saga,
            Self::RollingBack(rolling_back) => &rolling_back.saga,
        }
    }

    /// What is under way.
    pub fn open(&self) -> &[Open] {
        match self {
            Self::Advancing(advancing) => &advancing.open,
            Self::RollingBack(rolling_back) => &rolling_back.open,
        }
    }

    /// Forward, or back.
    pub const fn direction(&self) -> Direction {
        match self {
            Self::Advancing(_) => Direction::Forward,
            Self::RollingBack(_) => Direction::Compensate,
        }
    }

    pub(crate) const fn saga_mut(&mut self) -> &mut Saga {
        match self {
            Self::Advancing(advancing) => &mut advancing.saga,
            Self::RollingBack(rolling_back) => &mut rolling_back.saga,
        }
    }

    pub(crate) const fn open_mut(&mut self) -> &mut Vec<Open> {
        match self {
            Self::Advancing(advancing) => &mut advancing.open,
            Self::RollingBack(rolling_back) => &mut rolling_back.open,
        }
    }
}

impl From<Course> for State {
    fn from(course: Course) -> Self {
        match course {
            Course::Advancing(advancing) => Self::Advancing(advancing),
            Course::RollingBack(rolling_back) => Self::RollingBack(rolling_back),
        }
    }
}
