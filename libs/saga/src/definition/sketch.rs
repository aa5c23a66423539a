//! A definition as a picture needs it: what comes after what, and what undoes it.
//!
//! Separate because pictures want names and words, not expressions, and must not depend on how the engine runs.

use super::plan::{Action, Ask, EventMatch, Node, Rollback, Step, WaitSource};
use super::{Definition, StartedBy};
use crate::ids::StepName;
use crate::time::Span;

/// A definition, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// The definition's name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Time from the start after which a saga is rolled back.
    pub deadline: Option<Span>,
    /// What starts it; nothing when it is started by name alone.
    pub starts: Vec<Start>,
    /// What it does, in order.
    pub flow: Vec<Part>,
}

/// An event that starts a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The event's type.
    pub event: String,
    /// The topic it comes on.
    pub topic: String,
    /// Which of those events start a saga.
    pub when: Option<String>,
    /// How what it announced is undone.
    pub undo: Option<Undo>,
}

/// A place in the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// One step.
    Step(Box<StepSketch>),
    /// Branches beside each other.
    Group {
        /// Each a flow of its own.
        branches: Vec<Vec<Part>>,
        /// Whether they are undone side by side, too.
        together: bool,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSketch {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub when: Option<String>,
    /// What it does.
    pub does: Does,
    /// How it is undone, if anything has to be.
    pub undo: Option<Undo>,
    /// Whether nothing is rolled back any more once it is done.
    pub is_pivot: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Asks a participant.
    Ask {
        /// The command.
        command: String,
        /// Its topic.
        topic: String,
        /// Events that say yes, no, and try again.
        answers: Answers,
        /// Events that later take it back.
        taken_back_on: Vec<String>,
        /// Time for each attempt.
        timeout: Span,
        /// How often it is asked at most.
        attempts_max: u32,
    },
    /// Lets time pass.
    Delay(Span),
    /// Waits for a signal, or for an event and its topic.
    Wait {
        /// The signal or event.
        what: String,
        /// The event's topic; `None` for a signal.
        topic: Option<String>,
        /// How long.
        timeout: Option<Span>,
        /// Whether the saga then goes on without.
        goes_on: bool,
    },
    /// Publishes an event.
    Emit {
        /// The event.
        event: String,
        /// Its topic.
        topic: String,
    },
}

/// The answers that a command expects, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// It was done.
    pub done: Vec<String>,
    /// It was not and will not be done.
    pub refused: Vec<String>,
    /// It is to be asked again.
    pub retry: Vec<String>,
}

/// How something is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The command.
    pub command: String,
    /// Its topic.
    pub topic: String,
    /// Events that say that it is undone.
    pub done: Vec<String>,
}

impl Definition {
    /// The definition as a picture needs it.
    pub fn sketch(&self) -> Sketch {
        let starts = self.triggers.iter().map(|trigger| {
            let by = StartedBy { topic: trigger.topic.clone(), event_type: trigger.event.clone() };
            Start {
                event: trigger.event.clone(),
                topic: trigger.topic.clone(),
                when: trigger.when.as_ref().map(|when| when.source().to_owned()),
                undo: self.compensation(&StepName::start(), Some(&by)).map(undo),
            }
        });
        Sketch {
            name: self.name().to_owned(),
            version: self.version(),
            deadline: self.deadline().map(Span),
            starts: starts.collect(),
            flow: self.parts(&self.flow),
        }
    }

    fn parts(&self, nodes: &[Node]) -> Vec<Part> {
        let part = |node: &Node| match node {
            Node::Step(index) => self.steps.get(*index).map(|step| Part::Step(Box::new(step_sketch(step)))),
            Node::Group { branches, together } => {
                let branches = branches.iter().map(|branch| self.parts(branch)).collect();
                Some(Part::Group { branches, together: *together })
            }
        };
        nodes.iter().filter_map(part).collect()
    }
}

fn step_sketch(step: &Step) -> StepSketch {
    let (does, undo, is_pivot) = match &step.action {
        Action::Command(command) => {
            let (undo, is_pivot) = match &command.rollback {
                Rollback::Compensate(ask) => (Some(undo(ask)), false),
                Rollback::Nothing => (None, false),
                Rollback::Pivot => (None, true),
            };
            let ask = &command.ask;
            let taken_back_on = command.undone.iter().map(|undone| undone.event.event.clone()).collect();
            let answers = Answers { done: names(&ask.done), refused: names(&ask.refused), retry: names(&ask.retry) };
            let does = Does::Ask {
                command: ask.command_type.clone(),
                topic: ask.topic.clone(),
                answers,
                taken_back_on,
                timeout: Span(ask.patience.timeout),
                attempts_max: ask.patience.attempts_max,
            };
            (does, undo, is_pivot)
        }
        Action::Delay(delay) => (Does::Delay(Span(*delay)), None, false),
        Action::Wait(wait) => {
            let (what, topic) = match &wait.source {
                WaitSource::Signal(signal) => (signal.clone(), None),
                WaitSource::Event { topic, event, .. } => (event.event.clone(), Some(topic.clone())),
            };
            (Does::Wait { what, topic, timeout: wait.timeout.map(Span), goes_on: wait.go_on }, None, false)
        }
        Action::Emit(emit) => (Does::Emit { event: emit.event_type.clone(), topic: emit.topic.clone() }, None, false),
    };
    let when = step.when.as_ref().map(|when| when.source().to_owned());
    StepSketch { name: step.name.to_string(), when, does, undo, is_pivot }
}

fn names(events: &[EventMatch]) -> Vec<String> {
    let mut names: Vec<String> = events.iter().map(|event| event.event.clone()).collect();
    names.dedup();
    names
}

fn undo(ask: &Ask) -> Undo {
    Undo { command: ask.command_type.clone(), topic: ask.topic.clone(), done: names(&ask.done) }
}
