//! Steps that decide about other steps: which branch is taken, for which items something is done.
//!
//! Separate because both are decided once and written down: whatever happens later, a saga stays on the branch it took
//! and with the items it found.

use serde_json::Value;

use super::draft::{Draft, facts};
use super::rollback;
use crate::cause::Cause;
use crate::definition::DATA_BYTES_MAX;
use crate::definition::plan::{Choice, ForEach, Kept};
use crate::event::Fact;
use crate::expression::EvaluationError;
use crate::ids::StepName;

/// Takes the first branch whose condition holds.
pub(super) fn choose(draft: &mut Draft<'_>, name: &StepName, choice: &Choice) {
    let step = name.clone();
    match chosen(draft, name, choice) {
        Err(error) => draft.stuck(name, error.to_string()),
        Ok(None) if choice.otherwise_roll_back => rollback::roll_back_everything(draft, Cause::NoChoice { step }),
        Ok(branch) => {
            let branch = branch.and_then(|branch| u32::try_from(branch).ok());
            draft.push(Fact::ChoiceMade { step, branch });
        }
    }
}

fn chosen(draft: &Draft<'_>, name: &StepName, choice: &Choice) -> Result<Option<usize>, EvaluationError> {
    let Some(saga) = draft.state().saga() else { return Ok(None) };
    let facts = facts(draft.definition, saga, name, None, None);
    for (branch, condition) in choice.conditions.iter().enumerate() {
        if condition.holds(&facts)? {
            return Ok(Some(branch));
        }
    }
    Ok(None)
}

/// Finds the items; their steps are what comes next.
pub(super) fn fan_out(draft: &mut Draft<'_>, name: &StepName, each: &ForEach) {
    let Some(saga) = draft.state().saga() else { return };
    let found = each.list.evaluate(&facts(draft.definition, saga, name, None, None));
    match found.map_err(|error| error.to_string()).and_then(|found| items(found, each)) {
        Err(reason) => draft.stuck(name, reason),
        Ok(items) => {
            let steps = draft.definition.steps().iter();
            let kept = steps.filter(|step| step.each.as_ref() == Some(name) && step.kept != Kept::Nothing);
            let collected = kept.map(|step| step.name.identifier()).collect();
            draft.push(Fact::FanOutStarted { step: name.clone(), items, collected });
        }
    }
}

fn items(found: Value, each: &ForEach) -> Result<Vec<Value>, String> {
    let bytes = found.to_string().len();
    let Value::Array(items) = found else { return Err("there is no list to do something for each item of".to_owned()) };
    if items.len() > each.items_max {
        return Err(format!("the list has {} items, {} are allowed", items.len(), each.items_max));
    }
    if bytes > DATA_BYTES_MAX {
        return Err(format!("the list's items have {bytes} bytes, {DATA_BYTES_MAX} are allowed"));
    }
    Ok(items)
}
