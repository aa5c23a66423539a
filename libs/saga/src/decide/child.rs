//! Sagas that a step of another saga has started: what they tell it, and what it may ask of them.
//!
//! Separate because a saga is the same whoever started it: only its ends are told, and only its parent may take back
//! what it has completed.

use serde_json::Value;

use super::draft::Draft;
use super::rollback;
use crate::cause::{By, Cause};
use crate::definition::{DATA_BYTES_MAX, Definition};
use crate::event::Fact;
use crate::expression::EvaluationError;
use crate::ids::{Direction, RESULT_STEP, SagaId, StepName};
use crate::input::{ParentCancel, Start};
use crate::state::{Saga, State};
use crate::sub_saga::{Parent, SubSagaAnswer, bounded};

/// All steps are done.
pub(super) fn complete(draft: &mut Draft<'_>) {
    let Some(saga) = draft.state().saga() else { return };
    match result(draft.definition, saga) {
        Err(error) => draft.stuck(&StepName::from(RESULT_STEP), error.to_string()),
        Ok(result) => {
            push_told(draft, SubSagaAnswer::Completed, None, result);
            draft.push(Fact::SagaCompleted {});
        }
    }
}

/// What the parent learns; nothing if there is none, or if a person settled a result that cannot be computed.
fn result(definition: &Definition, saga: &Saga) -> Result<Value, EvaluationError> {
    let is_settled = saga.passed.iter().any(|passed| passed.step.as_str() == RESULT_STEP);
    if saga.parent.is_none() || is_settled {
        return Ok(Value::Null);
    }
    let result = definition.result(saga)?;
    bounded("result", result.to_string().len(), DATA_BYTES_MAX)?;
    Ok(result)
}

/// Tells the parent, if there is one.
pub(super) fn tell(draft: &mut Draft<'_>, answer: SubSagaAnswer, reason: Option<String>) {
    push_told(draft, answer, reason, Value::Null);
}

fn push_told(draft: &mut Draft<'_>, answer: SubSagaAnswer, reason: Option<String>, result: Value) {
    let Some(saga) = draft.state().known_saga() else { return };
    let Some(parent) = saga.parent.clone() else { return };
    let (saga, key) = (saga.id, saga.key.clone());
    draft.push(Fact::ParentTold { saga, key, parent, answer, reason, result });
}

/// Tells a step that asks for what it does not own, or for what never began.
pub(super) fn tell_stranger(draft: &mut Draft<'_>, parent: &Parent, (saga, key): (SagaId, &str), reason: String) {
    let (parent, key, answer) = (parent.clone(), key.to_owned(), SubSagaAnswer::RolledBack);
    draft.push(Fact::ParentTold { saga, key, parent, answer, reason: Some(reason), result: Value::Null });
}

/// It was started before: an end that was told is told again, and a saga of somebody else's is none of this step's.
pub(super) fn started_again(draft: &mut Draft<'_>, start: &Start) {
    let Some(parent) = &start.parent else { return };
    let owner = draft.state().saga().map(|saga| saga.parent.as_ref());
    let owner = owner.or_else(|| draft.state().ended().map(|ended| ended.parent.as_ref()));
    let id = draft.definition.saga_id(&start.key);
    match owner {
        Some(owner) if owner != Some(parent) => {
            tell_stranger(draft, parent, (id, &start.key), "it was already started by somebody else".to_owned());
        }
        _ => tell_end(draft, parent, (id, &start.key)),
    }
}

/// Says again how it ended, if it has.
fn tell_end(draft: &mut Draft<'_>, parent: &Parent, (id, key): (SagaId, &str)) {
    match draft.state() {
        State::Completed(ended) => {
            let held = ended.held.as_deref();
            let result = held.and_then(|saga| result(draft.definition, saga).ok()).unwrap_or_default();
            push_told(draft, SubSagaAnswer::Completed, None, result);
        }
        State::RolledBack(_) | State::Refused(_) => {
            let reason = draft.state().reason().unwrap_or_default();
            tell_stranger(draft, parent, (id, key), reason);
        }
        // Given up by a person: the step waits for one, too.
        State::Abandoned(_)
        | State::NotStarted
        | State::Advancing(_)
        | State::RollingBack(_)
        | State::Paused(_)
        | State::Stuck(_) => {}
    }
}

/// The parent wants it rolled back.
pub(super) fn cancel(draft: &mut Draft<'_>, wanted: &ParentCancel) {
    let (parent, key) = (&wanted.parent, wanted.key.as_str());
    let by = By { who: parent.to_string(), why: wanted.reason.clone() };
    let id = draft.definition.saga_id(key);
    let reason = format!("cancelled by {by}");
    let owner = draft.state().saga().map(|saga| saga.parent.as_ref());
    let owner = owner.or_else(|| draft.state().ended().map(|ended| ended.parent.as_ref()));
    if owner.is_some_and(|owner| owner != Some(parent)) {
        return tell_stranger(draft, parent, (id, key), "it was started by somebody else".to_owned());
    }
    match draft.state() {
        State::NotStarted => {
            draft.push(Fact::CancelledBeforeStart { by });
            tell_stranger(draft, parent, (id, key), reason);
        }
        State::Completed(_) if wanted.completed_too => take_back(draft, by),
        State::Completed(_) | State::RolledBack(_) | State::Refused(_) => tell_end(draft, parent, (id, key)),
        State::Abandoned(_) => {
            let reason = draft.state().reason();
            tell_abandoned(draft, parent, (id, key), reason);
        }
        State::Advancing(_) | State::Paused(_) | State::Stuck(_)
            if draft.state().direction() == Some(Direction::Forward) =>
        {
            take_back(draft, by);
        }
        // It is on its way back already, and says so when it is there.
        State::Advancing(_) | State::Paused(_) | State::Stuck(_) | State::RollingBack(_) => {}
    }
}

fn tell_abandoned(draft: &mut Draft<'_>, parent: &Parent, (saga, key): (SagaId, &str), reason: Option<String>) {
    let (parent, key, answer) = (parent.clone(), key.to_owned(), SubSagaAnswer::GoesOn);
    draft.push(Fact::ParentTold { saga, key, parent, answer, reason, result: Value::Null });
}

fn take_back(draft: &mut Draft<'_>, by: By) {
    match draft.point_of_no_return() {
        Some(pivot) => {
            let reason = format!("the pivot {pivot} may have happened: from there the saga only goes forward");
            draft.push(Fact::CancelRefused { by, reason: reason.clone() });
            tell(draft, SubSagaAnswer::GoesOn, Some(reason));
        }
        None => rollback::roll_back_everything(draft, Cause::Cancelled { by }),
    }
}
