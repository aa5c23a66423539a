//! A definition as a picture needs it: what comes after what, and what undoes it.
//!
//! Separate because pictures want names and words, not expressions, and must not depend on how the engine runs.

use super::plan::{Action, Ask, Command, EventMatch, Node, Payload, Rollback, Step, WaitSource};
use super::spec::{OtherwiseSpec, StepSpec};
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
    /// One of several branches.
    Choice {
        /// The step that decides.
        name: String,
        /// Its condition.
        when: Option<String>,
        /// Each with its condition; the first that holds is taken.
        branches: Vec<(String, Vec<Part>)>,
        /// What happens when none holds.
        otherwise: Otherwise,
    },
    /// The same for each item of a list.
    ForEach {
        /// The step that goes through the list.
        name: String,
        /// Its condition.
        when: Option<String>,
        /// The list.
        list: String,
        /// How many items are under way at once.
        at_once: usize,
        /// What is done for each.
        body: Vec<Part>,
        /// Whether as many items are undone at once, too.
        together: bool,
    },
}

/// What happens when no condition of a choice holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The saga goes on.
    GoesOn,
    /// It is rolled back.
    RollsBack,
    /// It does this.
    Does(Vec<Part>),
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
    /// Starts another saga and waits for its end.
    Start {
        /// Its definition.
        definition: String,
        /// How long it may take.
        timeout: Span,
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
    /// Is done by others, and only seen.
    Observe {
        /// The topic of its events.
        topic: String,
        /// Events that say that it was done, and that it was not.
        answers: Answers,
        /// Events that say that it is undone.
        undone_on: Vec<String>,
        /// After how long its silence is told.
        timeout: Option<Span>,
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
            flow: self.parts(&self.flow, &self.spec.steps),
        }
    }

    fn parts(&self, nodes: &[Node], specs: &[StepSpec]) -> Vec<Part> {
        nodes.iter().zip(specs).filter_map(|(node, spec)| self.part(node, spec)).collect()
    }

    fn part(&self, node: &Node, spec: &StepSpec) -> Option<Part> {
        let named = |step: &usize| {
            let step = self.steps.get(*step)?;
            Some((step, step.name.to_string(), step.when.as_ref().map(|when| when.source().to_owned())))
        };
        match node {
            Node::Step(index) => self.steps.get(*index).map(|step| Part::Step(Box::new(step_sketch(step)))),
            Node::Group { branches, together } => {
                let specs = spec.parallel.as_deref().unwrap_or_default();
                let branches = branches.iter().zip(specs).map(|(branch, spec)| self.parts(branch, &spec.0)).collect();
                Some(Part::Group { branches, together: *together })
            }
            Node::Choice { step, branches, otherwise } => {
                let (_, name, when) = named(step)?;
                let specs = spec.choice.as_deref().unwrap_or_default();
                let branch = |(nodes, spec): (&Vec<Node>, &super::spec::ChoiceSpec)| {
                    (spec.when.clone(), self.parts(nodes, &spec.steps.0))
                };
                let branches = branches.iter().zip(specs).map(branch).collect();
                let otherwise = match &spec.otherwise {
                    Some(OtherwiseSpec::Do(spec)) => Otherwise::Does(self.parts(otherwise, &spec.0)),
                    Some(OtherwiseSpec::RollBack) => Otherwise::RollsBack,
                    Some(OtherwiseSpec::Nothing) | None => Otherwise::GoesOn,
                };
                Some(Part::Choice { name, when, branches, otherwise })
            }
            Node::ForEach { step, body, together } => {
                let (step, name, when) = named(step)?;
                let Action::ForEach(each) = &step.action else { return None };
                let specs = spec.for_each.as_ref().map(|each| each.steps.0.as_slice()).unwrap_or_default();
                let (list, at_once) = (each.list.source().to_owned(), each.at_once);
                let body = self.parts(body, specs);
                Some(Part::ForEach { name, when, list, at_once, body, together: *together })
            }
        }
    }
}

fn step_sketch(step: &Step) -> StepSketch {
    let (does, undo, is_pivot) = match &step.action {
        Action::Command(command) => {
            let (undo, is_pivot) = match &command.rollback {
                Rollback::Compensate(ask) => (Some(undo(ask)), false),
                // Only while it is under way: what has completed stays.
                Rollback::Nothing | Rollback::Stop(_) => (None, false),
                Rollback::Pivot => (None, true),
            };
            (asks(command), undo, is_pivot)
        }
        // What they decide about is told where they stand in the flow.
        Action::Choice(_) | Action::ForEach(_) => (Does::Delay(Span(std::time::Duration::ZERO)), None, false),
        Action::Delay(delay) => (Does::Delay(Span(*delay)), None, false),
        Action::Wait(wait) => {
            let (what, topic) = match &wait.source {
                WaitSource::Signal(signal) => (signal.clone(), None),
                WaitSource::Event { topic, event, .. } => (event.event.clone(), Some(topic.clone())),
            };
            (Does::Wait { what, topic, timeout: wait.timeout.map(Span), goes_on: wait.go_on }, None, false)
        }
        Action::Observe(observed) => {
            let answers = Answers { done: names(&observed.done), refused: names(&observed.refused), retry: Vec::new() };
            let (topic, undone_on) = (observed.topic.clone(), names(&observed.undone));
            (Does::Observe { topic, answers, undone_on, timeout: observed.timeout.map(Span) }, None, false)
        }
        Action::Emit(emit) => (Does::Emit { event: emit.event_type.clone(), topic: emit.topic.clone() }, None, false),
    };
    let when = step.when.as_ref().map(|when| when.source().to_owned());
    StepSketch { name: step.name.to_string(), when, does, undo, is_pivot }
}

fn asks(command: &Command) -> Does {
    let ask = &command.ask;
    let timeout = Span(ask.patience.timeout);
    match &ask.payload {
        Payload::Start(sub_saga) => Does::Start { definition: sub_saga.definition.clone(), timeout },
        Payload::Written(_) | Payload::Cancel { .. } => Does::Ask {
            command: ask.command_type.clone(),
            topic: ask.topic.clone(),
            answers: Answers { done: names(&ask.done), refused: names(&ask.refused), retry: names(&ask.retry) },
            taken_back_on: command.undone.iter().map(|undone| undone.event.event.clone()).collect(),
            timeout,
            attempts_max: ask.patience.attempts_max,
        },
    }
}

fn names(events: &[EventMatch]) -> Vec<String> {
    let mut names: Vec<String> = events.iter().map(|event| event.event.clone()).collect();
    names.dedup();
    names
}

fn undo(ask: &Ask) -> Undo {
    match &ask.payload {
        Payload::Cancel { sub_saga, .. } => {
            Undo { command: "rolled back".to_owned(), topic: sub_saga.definition.clone(), done: Vec::new() }
        }
        Payload::Written(_) | Payload::Start(_) => {
            Undo { command: ask.command_type.clone(), topic: ask.topic.clone(), done: names(&ask.done) }
        }
    }
}
