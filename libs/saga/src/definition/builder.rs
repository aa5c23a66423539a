//! Definitions written in Rust.
//!
//! Separate because it only fills in the written form: whatever it accepts is checked by the same validator as YAML.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::spec::{BackoffSpec, CompensationSpec, DefinitionSpec, EventSpec, LimitsSpec, RollbackSpec, TriggerSpec};
use super::step_builder::StepBuilder;
use super::{Definition, DefinitionError};
use crate::participant::Rate;
use crate::time::Span;

/// A payload's fields: names and expressions.
pub(super) fn payload<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Value {
    let fields = fields.into_iter().map(|(name, source)| (name.to_owned(), Value::from(source)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Builds a [`Definition`].
#[derive(Clone, Debug)]
pub struct DefinitionBuilder {
    spec: DefinitionSpec,
}

impl DefinitionBuilder {
    pub(super) fn new(name: &str, version: u32) -> Self {
        let spec = DefinitionSpec {
            saga: name.to_owned(),
            version,
            observes: None,
            starts_on: Vec::new(),
            deadline: None,
            search: BTreeMap::new(),
            participants: BTreeMap::new(),
            steps: Vec::new(),
            result: None,
        };
        Self { spec }
    }

    /// Only observes the flow whose events say so in their metadata; its steps are [`StepBuilder::observe`].
    #[must_use]
    pub fn observes(mut self, flow: &str) -> Self {
        self.spec.observes = Some(flow.to_owned());
        self
    }

    /// Adds an event that starts the saga.
    #[must_use]
    pub fn starts_on(mut self, trigger: Trigger) -> Self {
        self.spec.starts_on.push(trigger.spec);
        self
    }

    /// Time from the start after which the saga is rolled back.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.spec.deadline = Some(Span(deadline));
        self
    }

    /// What its sagas can be found by: an expression over `saga`, computed at the start.
    #[must_use]
    pub fn search(mut self, name: &str, expression: &str) -> Self {
        self.spec.search.insert(name.to_owned(), expression.to_owned());
        self
    }

    /// Most commands that wait at once for an answer of the participant with this topic.
    #[must_use]
    pub fn in_flight_max(mut self, topic: &str, max: u32) -> Self {
        self.limits(topic).in_flight_max = Some(max);
        self
    }

    /// Most commands in a time to the participant with this topic.
    #[must_use]
    pub fn rate_max(mut self, topic: &str, max: u32, per: Duration) -> Self {
        self.limits(topic).rate_max = Some(Rate { max, per });
        self
    }

    fn limits(&mut self, topic: &str) -> &mut LimitsSpec {
        let none = LimitsSpec { in_flight_max: None, rate_max: None };
        self.spec.participants.entry(topic.to_owned()).or_insert(none)
    }

    /// Adds a step, or a group of them.
    #[must_use]
    pub fn step(mut self, step: StepBuilder) -> Self {
        self.spec.steps.push(step.spec);
        self
    }

    /// What the step that started it as a sub-saga learns: names and expressions.
    #[must_use]
    pub fn result<'f>(mut self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        self.spec.result = Some(payload(fields));
        self
    }

    /// Checks and compiles the definition.
    ///
    /// # Errors
    /// [`DefinitionError`] with everything that is wrong.
    pub fn build(self) -> Result<Definition, DefinitionError> {
        Definition::from_spec(self.spec)
    }
}

/// An event that starts a saga.
#[derive(Clone, Debug)]
pub struct Trigger {
    spec: TriggerSpec,
}

impl Trigger {
    /// Starts on this event of this topic; `key` computes the saga's key from it.
    pub fn event(topic: &str, event: &str, key: &str) -> Self {
        let (topic, event, key) = (topic.to_owned(), event.to_owned(), key.to_owned());
        Self { spec: TriggerSpec { topic, event, when: None, key, on_rollback: None, undone_on: Vec::new() } }
    }

    /// Only if this holds.
    #[must_use]
    pub fn when(mut self, condition: &str) -> Self {
        self.spec.when = Some(condition.to_owned());
        self
    }

    /// Observed: the event that says that what the event announced is undone.
    #[must_use]
    pub fn undone_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.undone_on.push(event.into().spec);
        self
    }

    /// How what the event announced is undone: step 0.
    #[must_use]
    pub fn on_rollback(mut self, compensation: Compensation) -> Self {
        self.spec.on_rollback = Some(RollbackSpec::Compensate(Box::new(compensation.spec)));
        self
    }
}

/// An event that means something to a step; a plain name will do where no condition is needed.
#[derive(Clone, Debug)]
pub struct ExpectedEvent {
    pub(super) spec: EventSpec,
}

impl ExpectedEvent {
    fn named(event: &str) -> Self {
        Self { spec: EventSpec { event: event.to_owned(), when: None, until: None } }
    }

    /// Only if this holds.
    #[must_use]
    pub fn when(mut self, condition: &str) -> Self {
        self.spec.when = Some(condition.to_owned());
        self
    }

    /// For `undone_on`: no longer once this step is done.
    #[must_use]
    pub fn until(mut self, step: &str) -> Self {
        self.spec.until = Some(step.to_owned());
        self
    }
}

impl From<&str> for ExpectedEvent {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

/// An event of this type, to be narrowed by a condition.
pub fn event(name: &str) -> ExpectedEvent {
    ExpectedEvent::named(name)
}

/// Begins the command that takes a step back.
pub fn compensate(command: &str) -> Compensation {
    let spec = CompensationSpec {
        compensate: command.to_owned(),
        to: None,
        with: None,
        answers_on: None,
        done_on: Vec::new(),
        refused_on: Vec::new(),
        retry_on: Vec::new(),
        timeout: None,
        attempts_max: None,
        backoff: None,
    };
    Compensation { spec }
}

/// The command that takes a step back.
#[derive(Clone, Debug)]
pub struct Compensation {
    pub(super) spec: CompensationSpec,
}

impl Compensation {
    /// The topic it is sent to; the step's own when not said.
    #[must_use]
    pub fn to(mut self, topic: &str) -> Self {
        self.spec.to = Some(topic.to_owned());
        self
    }

    /// Its payload: names and expressions; the step's own when not said.
    #[must_use]
    pub fn with<'f>(mut self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        self.spec.with = Some(payload(fields));
        self
    }

    /// The topic its answers come on.
    #[must_use]
    pub fn answers_on(mut self, topic: &str) -> Self {
        self.spec.answers_on = Some(topic.to_owned());
        self
    }

    /// The event that says it was done.
    #[must_use]
    pub fn done_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.done_on.push(event.into().spec);
        self
    }

    /// The event that says it will not be done.
    #[must_use]
    pub fn refused_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.refused_on.push(event.into().spec);
        self
    }

    /// The event that asks for another try.
    #[must_use]
    pub fn retry_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.retry_on.push(event.into().spec);
        self
    }

    /// Time allowed per attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = Some(Span(timeout));
        self
    }

    /// How often it is asked before the saga is stuck.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.spec.attempts_max = Some(attempts);
        self
    }

    /// How long to wait before asking again: the bounds of the first and of every wait.
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.spec.backoff = Some(BackoffSpec { first: Span(first), max: Span(max) });
        self
    }
}
