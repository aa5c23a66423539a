//! A definition ready to run: expressions compiled, defaults filled in, names resolved.
//!
//! Separate from the written form because the engine must never meet an unchecked definition.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::expression::{Expression, Template};
use crate::ids::StepName;

/// An event that starts a saga.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) topic: String,
    pub(crate) event: String,
    pub(crate) when: Option<Expression>,
    pub(crate) key: Arc<Expression>,
    pub(crate) compensation: Option<Ask>,
    /// Observed: events that say that what it announced is undone.
    pub(crate) undone: Vec<EventMatch>,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: StepName,
    pub(crate) when: Option<Expression>,
    pub(crate) action: Action,
    pub(crate) kept: Kept,
    /// The `for_each` it belongs to: it is then done once for each item.
    pub(crate) each: Option<StepName>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    Command(Box<Command>),
    Delay(Duration),
    Wait(Box<Wait>),
    Observe(Box<Observed>),
    Emit(Box<Emit>),
    Choice(Box<Choice>),
    ForEach(Box<ForEach>),
}

impl Action {
    pub(crate) const fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            _ => None,
        }
    }

    pub(crate) const fn wait(&self) -> Option<&Wait> {
        match self {
            Self::Wait(wait) => Some(wait),
            _ => None,
        }
    }

    pub(crate) const fn observed(&self) -> Option<&Observed> {
        match self {
            Self::Observe(observed) => Some(observed),
            _ => None,
        }
    }

    pub(crate) const fn emit(&self) -> Option<&Emit> {
        match self {
            Self::Emit(emit) => Some(emit),
            _ => None,
        }
    }

    pub(crate) const fn for_each(&self) -> Option<&ForEach> {
        match self {
            Self::ForEach(each) => Some(each),
            _ => None,
        }
    }
}

impl Rollback {
    pub(crate) const fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Compensate(ask) | Self::Stop(ask) => Some(ask),
            Self::Nothing | Self::Pivot => None,
        }
    }
}

/// How much of a step's result later steps use, and so is kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    #[default]
    Nothing,
    Fields(BTreeSet<String>),
    Whole,
}

/// A step that asks a participant.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) ask: Ask,
    pub(crate) undone: Vec<Undone>,
    pub(crate) rollback: Rollback,
}

/// What a rollback does about a command step.
#[derive(Debug)]
pub(crate) enum Rollback {
    Nothing,
    Pivot,
    Compensate(Box<Ask>),
    /// Only what was not finished: a sub-saga that has completed stays.
    Stop(Box<Ask>),
}

/// A command with the answers expected to it; steps and compensations are the same in this.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) topic: String,
    pub(crate) command_type: String,
    pub(crate) payload: Payload,
    pub(crate) answers_on: String,
    pub(crate) key: Option<Arc<Expression>>,
    pub(crate) done: Vec<EventMatch>,
    pub(crate) refused: Vec<EventMatch>,
    pub(crate) retry: Vec<EventMatch>,
    pub(crate) patience: Patience,
}

/// What a command says.
#[derive(Debug)]
pub(crate) enum Payload {
    Written(Arc<Template>),
    /// Start this saga.
    Start(Arc<SubSaga>),
    /// End it, and roll it back.
    Cancel {
        sub_saga: Arc<SubSaga>,
        completed_too: bool,
    },
}

/// A saga that a step starts.
#[derive(Debug)]
pub(crate) struct SubSaga {
    pub(crate) definition: String,
    pub(crate) key: Option<Expression>,
    pub(crate) data: Template,
}

/// An event type, with a condition on it.
#[derive(Debug)]
pub(crate) struct EventMatch {
    pub(crate) event: String,
    pub(crate) when: Option<Expression>,
}

/// An event that takes a finished step back, as long as the step `until` is not passed.
#[derive(Debug)]
pub(crate) struct Undone {
    pub(crate) event: EventMatch,
    pub(crate) until: Option<StepName>,
}

/// How long and how often a participant is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    pub(crate) attempts_max: u32,
    pub(crate) backoff_first: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) deadline: Option<Duration>,
}

impl Patience {
    /// For steps that say nothing else.
    pub(crate) const STEP: Self = Self {
        timeout: Duration::from_secs(30),
        attempts_max: 3,
        backoff_first: Duration::from_millis(200),
        backoff_max: Duration::from_secs(30),
        deadline: None,
    };

    /// For compensations: giving up means that a person is woken.
    pub(crate) const COMPENSATION: Self = Self {
        timeout: Duration::from_mins(1),
        attempts_max: 20,
        backoff_first: Duration::from_secs(1),
        backoff_max: Duration::from_mins(5),
        deadline: None,
    };
}

/// A step that waits for a person's signal or another event.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) source: WaitSource,
    pub(crate) timeout: Option<Duration>,
    pub(crate) go_on: bool,
}

/// What a wait step waits for.
#[derive(Debug)]
pub(crate) enum WaitSource {
    Signal(String),
    Event { topic: String, event: Box<EventMatch>, key: Option<Arc<Expression>> },
}

/// A step that others do by themselves, and that is only seen.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) topic: String,
    pub(crate) key: Option<Arc<Expression>>,
    pub(crate) done: Vec<EventMatch>,
    pub(crate) refused: Vec<EventMatch>,
    pub(crate) undone: Vec<EventMatch>,
    pub(crate) timeout: Option<Duration>,
}

/// A step that publishes an event.
#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) topic: String,
    pub(crate) event_type: String,
    pub(crate) event_version: i32,
    pub(crate) payload: Template,
}

/// A step that decides which branch is taken; its node has the branches.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) conditions: Vec<Expression>,
    pub(crate) otherwise_roll_back: bool,
}

/// A step that says for which items its steps are done; its node has the steps.
#[derive(Debug)]
pub(crate) struct ForEach {
    pub(crate) list: Expression,
    pub(crate) at_once: usize,
    pub(crate) items_max: usize,
    /// Identifiers of the steps that are done for each item.
    pub(crate) inside: BTreeSet<String>,
}

/// A place in the flow. Steps are named by their index.
#[derive(Debug)]
pub(crate) enum Node {
    Step(usize),
    Group {
        branches: Vec<Vec<Node>>,
        together: bool,
    },
    /// One branch for each condition, and what is done when none holds.
    Choice {
        step: usize,
        branches: Vec<Vec<Node>>,
        otherwise: Vec<Node>,
    },
    ForEach {
        step: usize,
        body: Vec<Node>,
        together: bool,
    },
}
