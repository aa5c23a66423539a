//! Which topics a definition reads and writes, which events start a saga, and which saga an event is about.
//!
//! Separate because the shell asks these questions before it has a saga in hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::plan::{Ask, EventMatch, WaitSource};
use super::readers::Readers;
use super::{Definition, StartedBy};
use crate::expression::{EvaluationError, Facts};
use crate::ids::{Direction, StepName};
use crate::state::Saga;
use crate::sub_saga;

/// A saga that an event starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StartMatch {
    /// The saga's key.
    pub key: String,
    /// What becomes `saga.data`.
    pub data: Arc<Value>,
}

/// Why it cannot be told whether, or as which saga, an event starts one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell which saga of `{definition}` this `{event_type}` starts: {reason}")]
pub struct StartError {
    /// The definition's name.
    pub definition: String,
    /// The event's type.
    pub event_type: String,
    /// What could not be evaluated, and why.
    pub reason: String,
}

/// The answers a command expects, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedAnswers {
    /// The topic they come on.
    pub topic: String,
    /// Events that say it was done.
    pub done: Vec<String>,
    /// Events that say it was not and will not be done.
    pub refused: Vec<String>,
    /// Events that ask for another try.
    pub ask_again: Vec<String>,
    /// Events that later take it back.
    pub undone: Vec<String>,
}

impl Definition {
    /// The answers expected to a step's command or compensation; none for other steps. For step 0, `start`, those of
    /// the first trigger's compensation.
    pub fn expected_answers(&self, step: &StepName, direction: Direction) -> Option<ExpectedAnswers> {
        let ask = self.ask_of(step, direction)?;
        let command = self.step(step).and_then(|step| step.action.command());
        let undone = command.map(|command| command.undone.as_slice()).unwrap_or_default();
        let undone = undone.iter().map(|undone| undone.event.event.clone()).collect();
        let names = |events: &[EventMatch]| events.iter().map(|event| event.event.clone()).collect();
        Some(ExpectedAnswers {
            topic: ask.answers_on.clone(),
            done: names(&ask.done),
            refused: names(&ask.refused),
            ask_again: names(&ask.retry),
            undone,
        })
    }

    /// The participant that a step's command or compensation asks, by the topic of its commands; none for other steps. For
    /// step 0, `start`, that of the first trigger's compensation.
    pub fn asks_at(&self, step: &StepName, direction: Direction) -> Option<&str> {
        self.ask_of(step, direction).map(|ask| ask.topic.as_str())
    }

    fn ask_of(&self, step: &StepName, direction: Direction) -> Option<&Ask> {
        let first = self.triggers.first();
        let started_by = first.map(|first| StartedBy { topic: first.topic.clone(), event_type: first.event.clone() });
        match direction {
            Direction::Forward => self.forward(step),
            Direction::Compensate => self.compensation(step, started_by.as_ref()),
        }
    }

    /// Names of everything that a command of this saga may be about: step 0, and steps under the names of the items they
    /// are done for.
    pub fn commands_of(&self, saga: &Saga) -> Vec<StepName> {
        let mut names = vec![StepName::start()];
        for step in self.steps.iter().filter(|step| step.action.command().is_some()) {
            match &step.each {
                None => names.push(step.name.clone()),
                Some(each) => {
                    let items = saga.items.get(each).map_or(0, Vec::len);
                    names.extend((0..).take(items).map(|item| step.name.of_item(item)));
                }
            }
        }
        names
    }

    /// Steps that wait for a signal, with its name.
    pub fn awaited_signals(&self) -> impl Iterator<Item = (&StepName, &str)> {
        self.steps.iter().filter_map(|step| match &step.action.wait()?.source {
            WaitSource::Signal(signal) => Some((&step.name, signal.as_str())),
            WaitSource::Event { .. } => None,
        })
    }

    /// Steps that wait for an event, with its topic and type.
    pub fn awaited_events(&self) -> impl Iterator<Item = (&StepName, &str, &str)> {
        self.steps.iter().filter_map(|step| match &step.action.wait()?.source {
            WaitSource::Event { topic, event, .. } => Some((&step.name, topic.as_str(), event.event.as_str())),
            WaitSource::Signal(_) => None,
        })
    }

    /// The events of steps that are only seen: each step's topic, and what says that it was done, refused and undone. For
    /// step 0, `start`, only what says that it is undone.
    pub fn observed_events(&self) -> Vec<(StepName, ExpectedAnswers)> {
        let names = |events: &[EventMatch]| events.iter().map(|event| event.event.clone()).collect();
        let seen = |topic: &str, done: &[EventMatch], refused: &[EventMatch], undone: &[EventMatch]| ExpectedAnswers {
            topic: topic.to_owned(),
            done: names(done),
            refused: names(refused),
            ask_again: Vec::new(),
            undone: names(undone),
        };
        let starts = self.triggers.iter().filter(|trigger| !trigger.undone.is_empty());
        let starts = starts.map(|trigger| (StepName::start(), seen(&trigger.topic, &[], &[], &trigger.undone)));
        let steps = self.observed().map(|(step, observed)| {
            (step.clone(), seen(&observed.topic, &observed.done, &observed.refused, &observed.undone))
        });
        starts.chain(steps).collect()
    }

    /// Whether nothing is rolled back any more once this step is done.
    pub fn is_pivot_step(&self, step: &StepName) -> bool {
        self.is_pivot(step)
    }

    /// The saga that this event starts, if it starts one. A condition or key that cannot be evaluated starts none;
    /// [`Definition::start_of`] says so instead.
    pub fn starts_with(&self, topic: &str, event_type: &str, event: &Value) -> Option<StartMatch> {
        self.start_of(topic, event_type, event).ok().flatten()
    }

    /// The key of that saga.
    pub fn start_key(&self, topic: &str, event_type: &str, event: &Value) -> Option<String> {
        self.key_of_start(topic, event_type, event).ok().flatten()
    }

    /// The saga that this event starts, if it starts one.
    ///
    /// # Errors
    /// [`StartError`] when the event is one that starts sagas, and whether it does or which one cannot be told.
    pub fn start_of(&self, topic: &str, event_type: &str, event: &Value) -> Result<Option<StartMatch>, StartError> {
        let key = self.key_of_start(topic, event_type, event)?;
        Ok(key.map(|key| StartMatch { key, data: Arc::new(event.clone()) }))
    }

    fn key_of_start(&self, topic: &str, event_type: &str, event: &Value) -> Result<Option<String>, StartError> {
        let facts = Facts { event: Some(event), ..Facts::default() };
        let error = |source: EvaluationError| StartError {
            definition: self.name().to_owned(),
            event_type: event_type.to_owned(),
            reason: source.to_string(),
        };
        for trigger in self.triggers.iter().filter(|t| t.topic == topic && t.event == event_type) {
            let wanted = trigger.when.as_ref().map_or(Ok(true), |when| when.holds(&facts)).map_err(error)?;
            if wanted {
                return trigger.key.key(&facts).map(Some).map_err(error);
            }
        }
        Ok(None)
    }

    /// Topics and types of the events that start a saga.
    pub fn start_events(&self) -> impl Iterator<Item = (&str, &str)> {
        self.triggers.iter().map(|trigger| (trigger.topic.as_str(), trigger.event.as_str()))
    }

    /// Keys of the sagas that an event may be about, as the definition's key expressions read it. The message's own
    /// key is a candidate besides these.
    pub fn reply_keys(&self, topic: &str, event_type: &str, event: &Value) -> BTreeSet<String> {
        let Some(keys) = self.readers().keys(topic, event_type) else { return BTreeSet::new() };
        let facts = Facts { event: Some(event), ..Facts::default() };
        keys.iter().filter_map(|key| key.key(&facts).ok()).collect()
    }

    /// Whether any step cares for such an event at all.
    pub fn reads(&self, topic: &str, event_type: &str) -> bool {
        self.start_events().any(|start| start == (topic, event_type))
            || self.readers().keys(topic, event_type).is_some()
    }

    /// Topics whose events this definition reads.
    pub fn event_topics(&self) -> BTreeSet<&str> {
        let topics = self.readers().topics().chain(self.triggers.iter().map(|trigger| trigger.topic.as_str()));
        // What sub-sagas answer comes with the commands to sagas, which are read anyway.
        topics.filter(|topic| *topic != sub_saga::TOPIC).collect()
    }

    /// Topics this definition sends commands to.
    pub fn command_topics(&self) -> BTreeSet<&str> {
        self.asks().map(|ask| ask.topic.as_str()).collect()
    }

    /// What its participants answer with: the topic of a participant's commands, that of its answer, the answer's type.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.asks().flat_map(|ask| {
            let events = ask.done.iter().chain(&ask.refused).chain(&ask.retry);
            events.map(|event| (ask.topic.as_str(), ask.answers_on.as_str(), event.event.as_str()))
        })
    }

    /// Topics this definition publishes events to.
    pub fn emit_topics(&self) -> BTreeSet<&str> {
        let emits = self.steps.iter().filter_map(|step| step.action.emit()).map(|emit| emit.topic.as_str());
        emits.collect()
    }

    /// All topics this definition touches.
    pub fn topics(&self) -> BTreeSet<&str> {
        let mut topics = self.event_topics();
        topics.extend(self.command_topics());
        topics.extend(self.emit_topics());
        topics
    }

    pub(super) fn asks(&self) -> impl Iterator<Item = &Ask> {
        let starts = self.triggers.iter().filter_map(|trigger| trigger.compensation.as_ref());
        let commands = self.steps.iter().filter_map(|step| step.action.command());
        let steps = commands.flat_map(|command| [Some(&command.ask), command.rollback.ask()]);
        starts.chain(steps.flatten())
    }

    fn readers(&self) -> &Readers {
        self.readers.get_or_init(|| Readers::of(self))
    }
}
