//! What sagas that start each other say to each other.
//!
//! Separate because it is a wire contract between sagas of two definitions, perhaps in two lanes: a sub-saga is a
//! participant like others, and its end is the answer.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::definition::DATA_BYTES_MAX;
use crate::definition::plan::{Payload, SubSaga};
use crate::expression::{EvaluationError, Facts};
use crate::ids::{Direction, SagaId, StepName, command_id};
use crate::state::Saga;

/// The topic they talk on.
pub const TOPIC: &str = "saga.commands";
/// Starts a sub-saga.
pub const START: &str = "StartSubSaga";
/// Ends it and rolls it back.
pub const CANCEL: &str = "CancelSubSaga";
/// An answer: all its steps are done.
pub const COMPLETED: &str = "SubSagaCompleted";
/// An answer: everything is undone, or nothing was ever done.
pub const ROLLED_BACK: &str = "SubSagaRolledBack";
/// An answer to a cancel: it cannot be rolled back.
pub const GOES_ON: &str = "SubSagaGoesOn";

/// Longest key, bytes; a longer one that was made from the parent's is replaced by its hash.
const KEY_BYTES_MAX: usize = 200;

/// The step that started a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its saga.
    pub saga: SagaId,
    /// That saga's definition, by name.
    pub definition: String,
    /// That saga's key.
    pub key: String,
    /// The step.
    pub step: StepName,
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.definition, self.key)
    }
}

/// What a sub-saga says to whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubSagaAnswer {
    /// All its steps are done.
    Completed,
    /// Everything is undone, or nothing was ever done.
    RolledBack,
    /// It cannot be rolled back.
    GoesOn,
}

impl SubSagaAnswer {
    /// The event type that a step expects.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Completed => COMPLETED,
            Self::RolledBack => ROLLED_BACK,
            Self::GoesOn => GOES_ON,
        }
    }
}

impl Payload {
    /// What the command of `step` says.
    pub(crate) fn evaluate(
        &self,
        definition: &str,
        saga: &Saga,
        step: &StepName,
        facts: &Facts<'_>,
    ) -> Result<Value, EvaluationError> {
        let parent = |sub_saga: &SubSaga| {
            Ok(json!({
                "definition": sub_saga.definition,
                "key": sub_saga.key_for(definition, saga, step, facts)?,
                "parent_id": saga.id,
                "parent_definition": definition,
                "parent_key": saga.key,
                "parent_step": step,
            }))
        };
        match self {
            Self::Written(template) => template.evaluate(facts),
            Self::Start(sub_saga) => {
                let mut payload = parent(sub_saga)?;
                let data = sub_saga.data.evaluate(facts)?.to_string();
                bounded("sub_saga.with", data.len(), DATA_BYTES_MAX)?;
                payload["data"] = Value::String(data);
                Ok(payload)
            }
            Self::Cancel { sub_saga, completed_too } => {
                let mut payload = parent(sub_saga)?;
                payload["completed_too"] = Value::Bool(*completed_too);
                payload["reason"] = facts.reason().map_or(Value::Null, Value::from);
                Ok(payload)
            }
        }
    }
}

impl SubSaga {
    /// The same whenever it is asked for: starting twice is starting once.
    fn key_for(
        &self,
        definition: &str,
        saga: &Saga,
        step: &StepName,
        facts: &Facts<'_>,
    ) -> Result<String, EvaluationError> {
        if let Some(key) = &self.key {
            let key = key.key(facts)?;
            bounded("sub_saga.key", key.len(), KEY_BYTES_MAX)?;
            return Ok(key);
        }
        let key = format!("{definition}/{}/{}", saga.key, step.as_str());
        let short = key.len() <= KEY_BYTES_MAX;
        let derived = || command_id(saga.id, step.as_str(), None, Direction::Forward).to_string();
        Ok(if short { key } else { derived() })
    }
}

/// What is too long would be set aside as unreadable, and waited for until the time is up: better said at once.
pub(crate) fn bounded(what: &str, bytes: usize, bytes_max: usize) -> Result<(), EvaluationError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(EvaluationError {
        expression: what.to_owned(),
        reason: format!("it has {bytes} bytes, {bytes_max} are allowed"),
    })
}

/// The id of what a sub-saga says to its parent: saying it again is no news.
pub(crate) fn answer_id(saga: SagaId, answer: SubSagaAnswer, parent: &Parent) -> Uuid {
    let name = format!("{}/{}/{}", answer.event_type(), parent.saga, parent.step);
    Uuid::new_v5(&saga.as_uuid(), name.as_bytes())
}
