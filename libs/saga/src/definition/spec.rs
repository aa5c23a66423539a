//! A definition as it is written: plain data, nothing checked yet.
//!
//! Separate because YAML documents and the Rust builder both end here, so that one validator serves both and equal
//! texts give equal definitions. Shorthand (`done_on: OrderConfirmed`) is accepted when reading and never written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shorthand::one_or_many;
use crate::participant::Rate;
use crate::time::Span;

/// A whole definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DefinitionSpec {
    /// The definition's name.
    pub saga: String,
    /// Its version, from 1.
    pub version: u32,
    /// The flow that its sagas only observe: what events say in their metadata, as `flow`. Nothing is asked of anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observes: Option<String>,
    /// Events that start it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<TriggerSpec>"))]
    pub starts_on: Vec<TriggerSpec>,
    /// Time from the start after which the saga is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// What its sagas can be found by: names, and expressions over `saga`, computed at the start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub search: BTreeMap<String, String>,
    /// What participants bear, by the topics of their commands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub participants: BTreeMap<String, LimitsSpec>,
    /// What it does, in order.
    pub steps: Vec<StepSpec>,
    /// What the step that started it as a sub-saga learns when it has completed: a tree of expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// What a participant bears. Of several definitions the strictest counts, and all orchestrators together keep to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// Most commands that wait for its answer at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_max: Option<u32>,
    /// Most commands in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_max: Option<Rate>,
}

/// An event that starts a saga.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    /// The topic the event is read from.
    pub topic: String,
    /// The event's type.
    pub event: String,
    /// Which of those events start a saga; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The saga's key, computed from the event.
    pub key: String,
    /// How what the event announced is undone: step 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rollback: Option<RollbackSpec>,
    /// Observed: events of the same topic that say that what the event announced is undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub undone_on: Vec<EventSpec>,
}

/// One step, or one group of steps. Which kind it is follows from the fields that are set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The step's name, unique in the definition; a group needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Observed: the topic on which its events come. Nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<String>,
    /// Command: the topic the command is sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// Command: its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Command: its payload, a tree of expressions; `saga.data` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
    /// Command: the topic its answers come on; `x.events` for `x.commands` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_on: Option<String>,
    /// Command, observed: the saga key inside an answer that names no command; the trigger's key expression when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Command, observed: events that say it was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub done_on: Vec<EventSpec>,
    /// Command, observed: events that say it was not and will not be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub refused_on: Vec<EventSpec>,
    /// Command: events that ask for another try.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub retry_on: Vec<EventSpec>,
    /// Command: events that later take the finished step back by themselves. Observed: events that say it is undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub undone_on: Vec<EventSpec>,
    /// Command: what a rollback does about it. Mandatory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rollback: Option<RollbackSpec>,
    /// Command: time allowed per attempt. Observed: after how long its silence is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Command: how often it is asked at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// Command: how long to wait before asking again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffSpec>,
    /// Command: time allowed for all attempts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// Any step: run only if this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Delay: how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// Wait: for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitSpec>,
    /// Emit: what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
    /// Parallel group: its branches, each a step or a list of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<Vec<BranchSpec>>,
    /// Parallel group, for each: whether they are compensated `together` or `one_by_one` (when absent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<GroupRollback>,
    /// Choice: its branches; the first whose condition holds is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Vec<ChoiceSpec>>,
    /// Choice: what happens when no condition holds. Mandatory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<OtherwiseSpec>,
    /// For each: the list, and what is done for each of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEachSpec>,
    /// Sub-saga: which one is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_saga: Option<SubSagaSpec>,
}

/// One branch of a parallel group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct BranchSpec(pub Vec<StepSpec>);

/// One branch of a choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChoiceSpec {
    /// It is taken if this holds and no branch before it was.
    pub when: String,
    /// What it does: a step or a list of steps.
    #[serde(rename = "do")]
    pub steps: BranchSpec,
}

/// What happens when none of a choice's conditions holds.
#[derive(Clone, Debug, PartialEq)]
pub enum OtherwiseSpec {
    /// The saga goes on.
    Nothing,
    /// It is rolled back.
    RollBack,
    /// It does this.
    Do(BranchSpec),
}

/// A saga that a step starts, and waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubSagaSpec {
    /// Its definition's name; the newest version is started.
    pub start: String,
    /// Its key; made from this saga's definition, key and step when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its `saga.data`, a tree of expressions; this saga's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
}

/// A list, and what is done for each of its items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ForEachSpec {
    /// An expression that gives the list.
    #[serde(rename = "in")]
    pub list: String,
    /// How many items are under way at once; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How many items the list may have; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_max: Option<u32>,
    /// What is done for each: a step or a list of steps.
    #[serde(rename = "do")]
    pub steps: BranchSpec,
}

/// How the branches of a parallel group, or the items of a list, are compensated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GroupRollback {
    /// In reverse order of completion, one after the other.
    OneByOne,
    /// All at once, each in its own reverse order; of a list, as many as are done at once.
    Together,
}

/// An event that means something to a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventSpec {
    /// The event's type.
    pub event: String,
    /// Only if this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// For `undone_on`: no longer once this step is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What a rollback does about a step.
#[derive(Clone, Debug, PartialEq)]
pub enum RollbackSpec {
    /// Nothing has to be undone.
    Nothing,
    /// The point of no return: once done, the saga only goes forward.
    Pivot,
    /// The sub-saga is rolled back, even once it has completed.
    RollBack,
    /// A command takes it back.
    Compensate(Box<CompensationSpec>),
}

/// The command that takes a step back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CompensationSpec {
    /// The command's type.
    pub compensate: String,
    /// The topic it is sent to; the step's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its payload; the step's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
    /// The topic its answers come on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_on: Option<String>,
    /// Events that say it was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub done_on: Vec<EventSpec>,
    /// Events that say it will not be done: the saga is stuck.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub refused_on: Vec<EventSpec>,
    /// Events that ask for another try.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "json-schema", schemars(with = "super::json_schema::OneOrMany<EventSpec>"))]
    pub retry_on: Vec<EventSpec>,
    /// Time allowed per attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often it is asked before the saga is stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// How long to wait before asking again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffSpec>,
}

/// How long to wait before asking again: exponential, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackoffSpec {
    /// Upper bound of the first wait.
    pub first: Span,
    /// Upper bound of every wait.
    pub max: Span,
}

/// What a wait step waits for: a signal, or an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaitSpec {
    /// A signal of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Or an event of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The topic the event is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The saga key inside the event; the trigger's key expression when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only if this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// How long to wait; for ever (but for the saga's deadline) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// What happens then; `roll_back` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
}

/// What happens when nothing came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// Undo what came before.
    RollBack,
    /// Go on without.
    GoOn,
}

/// An event that a step publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EmitSpec {
    /// The event's type.
    pub event: String,
    /// Its version; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// The topic it is published to.
    pub topic: String,
    /// Its data, a tree of expressions; `saga.data` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
}
