//! Definitions: what a saga does, step by step, and how each step is undone.
//!
//! Separate from the engine because definitions are data: written as YAML or with the builder, checked once, shared.

mod builder;
mod canonical;
mod code;
mod compile;
mod compile_ask;
mod compile_flow;
mod compile_limits;
mod compile_observe;
mod compile_scope;
mod compile_step;
mod compile_sub_saga;
#[cfg(feature = "json-schema")]
mod json_schema;
pub(crate) mod order;
pub(crate) mod plan;
mod problem;
mod readers;
mod routing;
mod shorthand;
pub mod sketch;
pub mod spec;
mod step_builder;
pub mod suggest;
mod together;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

pub use builder::{Compensation, DefinitionBuilder, ExpectedEvent, Trigger, compensate, event};
pub use code::Code;
#[cfg(feature = "json-schema")]
pub use json_schema::json_schema;
pub use problem::{DefinitionError, Problem};
pub use routing::{ExpectedAnswers, StartError, StartMatch};
pub use spec::DefinitionSpec;
pub use step_builder::StepBuilder;
pub use together::check_together;

use serde_json::Value;

use crate::expression::{EvaluationError, Expression, Facts, SagaFacts, Template};
use crate::ids::{Direction, START_STEP, SagaId, StepName};
use crate::participant::Limits;
use crate::state::{Saga, State};
use plan::{Ask, ForEach, Node, Rollback, Step};

/// Most steps a definition may have.
pub const STEPS_MAX: usize = 100;
/// Largest `saga.data`, in bytes of JSON.
pub const DATA_BYTES_MAX: usize = 64 * 1024;
/// Most branches of one parallel group.
pub const BRANCHES_MAX: usize = 32;
/// Most items a list may have that something is done for each of.
pub const ITEMS_MAX: u32 = 1_000;
/// Most attributes that a definition's sagas may be found by.
pub const SEARCH_MAX: usize = 16;
/// Longest value of such an attribute, bytes.
pub const SEARCH_VALUE_BYTES_MAX: usize = 200;
/// How deep groups, choices and lists may be nested.
pub const NESTING_MAX: usize = 4;

/// A checked definition. Share it in an `Arc`.
pub struct Definition {
    spec: DefinitionSpec,
    canonical: String,
    hash: String,
    triggers: Vec<plan::Trigger>,
    search: BTreeMap<String, Expression>,
    steps: Vec<Step>,
    by_name: BTreeMap<StepName, usize>,
    flow: Vec<Node>,
    result: Option<Template>,
    sub_sagas: Vec<together::SubSagaUse>,
    limits: BTreeMap<String, Limits>,
    /// Laid out when first asked for.
    readers: OnceLock<readers::Readers>,
}

impl Definition {
    /// Begins a definition in Rust.
    pub fn builder(name: &str, version: u32) -> DefinitionBuilder {
        DefinitionBuilder::new(name, version)
    }

    /// Checks and compiles a written definition.
    ///
    /// # Errors
    /// [`DefinitionError`] with everything that is wrong.
    pub fn from_spec(spec: DefinitionSpec) -> Result<Self, DefinitionError> {
        compile::compile(spec)
    }

    /// Reads a definition from its canonical JSON, as stored beside the sagas that run on it.
    ///
    /// # Errors
    /// [`DefinitionError`] when the text is no definition or not a usable one.
    pub fn from_canonical_json(text: &str) -> Result<Self, DefinitionError> {
        let spec = serde_json::from_str(text).map_err(|error| DefinitionError {
            problems: vec![Problem::new("$", format!("the text is no definition: {error}"))],
        })?;
        Self::from_spec(spec)
    }

    /// The definition's name; with the saga's key it makes the saga's id.
    pub fn name(&self) -> &str {
        &self.spec.saga
    }

    /// The flow that its sagas only observe, if they do not drive one.
    pub fn observes(&self) -> Option<&str> {
        self.spec.observes.as_deref()
    }

    /// Its version, from 1.
    pub const fn version(&self) -> u32 {
        self.spec.version
    }

    /// SHA-256 of the canonical JSON, in hexadecimal: independent of formatting and the order of keys.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The definition as JSON with sorted keys and no spaces.
    pub fn to_canonical_json(&self) -> &str {
        &self.canonical
    }

    /// The definition as it was written.
    pub const fn spec(&self) -> &DefinitionSpec {
        &self.spec
    }

    /// Names of all steps in document order; step 0 is not among them.
    pub fn step_names(&self) -> impl Iterator<Item = &StepName> {
        self.steps.iter().map(|step| &step.name)
    }

    /// Names of the steps that ask a participant.
    pub fn command_step_names(&self) -> impl Iterator<Item = &StepName> {
        self.steps.iter().filter(|step| step.action.command().is_some()).map(|step| &step.name)
    }

    /// The id of the saga with `key`.
    pub fn saga_id(&self, key: &str) -> SagaId {
        SagaId::derive(self.name(), key)
    }

    /// What whoever started a saga as a sub-saga learns when it has completed.
    pub(crate) fn result(&self, saga: &Saga) -> Result<Value, EvaluationError> {
        let facts = SagaFacts { id: saga.id, key: &saga.key, data: &saga.data, results: &saga.results, reason: None };
        let facts = Facts { saga: Some(facts), ..Facts::default() };
        self.result.as_ref().map_or(Ok(Value::Null), |result| result.evaluate(&facts))
    }

    /// Whether a step's work stays after a rollback once it was done: a sub-saga that is only stopped.
    pub fn stays_when_done(&self, name: &StepName) -> bool {
        let command = self.step(name).and_then(|step| step.action.command());
        command.is_some_and(|command| matches!(command.rollback, Rollback::Stop(_)))
    }

    /// What a saga that has just started can be found by: names and values. What cannot be computed is left out, and so
    /// is a value that is neither text, number nor truth, or is longer than [`SEARCH_VALUE_BYTES_MAX`].
    pub fn search_attributes(&self, saga: &Saga) -> BTreeMap<String, String> {
        let facts = SagaFacts { id: saga.id, key: &saga.key, data: &saga.data, results: &saga.results, reason: None };
        let facts = Facts { saga: Some(facts), ..Facts::default() };
        let found = self.search.iter().filter_map(|(name, expression)| {
            let value = match expression.evaluate(&facts).ok()? {
                Value::String(text) => text,
                scalar @ (Value::Number(_) | Value::Bool(_)) => scalar.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            (value.len() <= SEARCH_VALUE_BYTES_MAX).then(|| (name.clone(), value))
        });
        found.collect()
    }

    /// What participants bear, by the topics of their commands: whoever asks these waits for a turn.
    pub const fn limits(&self) -> &BTreeMap<String, Limits> {
        &self.limits
    }

    /// Time from the start after which a saga is rolled back.
    pub fn deadline(&self) -> Option<Duration> {
        self.spec.deadline.map(|span| span.0)
    }

    pub(crate) fn step(&self, name: &StepName) -> Option<&Step> {
        self.by_name.get(name.base()).map(|index| &self.steps[*index])
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn triggers(&self) -> &[plan::Trigger] {
        &self.triggers
    }

    pub(crate) fn flow(&self) -> &[Node] {
        &self.flow
    }

    pub(crate) const fn result_template(&self) -> Option<&Template> {
        self.result.as_ref()
    }

    pub(crate) const fn search(&self) -> &BTreeMap<String, Expression> {
        &self.search
    }

    /// The forward command of a step, if it is a command step.
    pub(crate) fn forward(&self, name: &StepName) -> Option<&Ask> {
        Some(&self.step(name)?.action.command()?.ask)
    }

    /// The compensation of a step; for step 0, that of the trigger which started the saga.
    pub(crate) fn compensation(&self, name: &StepName, trigger: Option<&StartedBy>) -> Option<&Ask> {
        if name.as_str() == START_STEP {
            let trigger = trigger?;
            let found = self.triggers.iter().find(|t| t.topic == trigger.topic && t.event == trigger.event_type);
            return found?.compensation.as_ref();
        }
        self.step(name)?.action.command()?.rollback.ask()
    }

    /// The command under way in a step of a saga, in the direction the saga is going.
    pub(crate) fn asked(&self, state: &State, step: &StepName) -> Option<&Ask> {
        match state.direction()? {
            Direction::Forward => self.forward(step),
            Direction::Compensate => self.compensation(step, state.saga()?.started_by.as_ref()),
        }
    }

    /// The participant that a step under way asks, in the direction the saga is going: the topic of its commands. None
    /// for steps that ask nobody, and for sub-sagas, which are sagas like others.
    #[must_use]
    pub fn participant_of(&self, state: &State, step: &StepName) -> Option<&str> {
        let topic = self.asked(state, step)?.topic.as_str();
        (topic != crate::sub_saga::TOPIC).then_some(topic)
    }

    /// The list that a step is done for each item of.
    pub(crate) fn each_of(&self, step: &Step) -> Option<&ForEach> {
        self.step(step.each.as_ref()?)?.action.for_each()
    }

    /// Steps that are only seen.
    pub(crate) fn observed(&self) -> impl Iterator<Item = (&StepName, &plan::Observed)> {
        self.steps.iter().filter_map(|step| Some((&step.name, step.action.observed()?)))
    }

    pub(crate) fn is_pivot(&self, name: &StepName) -> bool {
        let command = self.step(name).and_then(|step| step.action.command());
        command.is_some_and(|command| matches!(command.rollback, Rollback::Pivot))
    }
}

/// The event that started a saga, by topic and type: it decides which trigger's compensation is step 0.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StartedBy {
    /// The topic it came on.
    pub topic: String,
    /// Its type.
    pub event_type: String,
}

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Definition {}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({} v{} {})", self.name(), self.version(), &self.hash[..8])
    }
}
