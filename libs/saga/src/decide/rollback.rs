//! Going back: what is undone, and in which order.
//!
//! Separate because one difference matters more than any other here: a refused step did not happen and is left out; a
//! silent one may have happened and is undone too.

use super::draft::Draft;
use super::{ask, child, observe};
use crate::cause::Cause;
use crate::event::Fact;
use crate::ids::StepName;
use crate::state::{How, State};
use crate::sub_saga::SubSagaAnswer;

/// Undoes what came before `step`, which was refused: it did not happen.
pub(super) fn roll_back_before(draft: &mut Draft<'_>, step: &StepName, cause: Cause) {
    let possible = possibly_done(draft).into_iter().filter(|name| name != step).collect();
    roll_back(draft, possible, cause);
}

/// Undoes `step`, which fell silent and may have happened, and what came before it.
pub(super) fn roll_back_including(draft: &mut Draft<'_>, step: &StepName, cause: Cause) {
    let mut possible = possibly_done(draft);
    if !possible.contains(step) {
        possible.push(step.clone());
    }
    roll_back(draft, possible, cause);
}

/// Undoes everything that was done or may have been.
pub(super) fn roll_back_everything(draft: &mut Draft<'_>, cause: Cause) {
    let possible = possibly_done(draft);
    roll_back(draft, possible, cause);
}

/// Steps that were done, in order of completion, then those under way, which count as silent, unless nobody was asked.
fn possibly_done(draft: &Draft<'_>) -> Vec<StepName> {
    let passed = draft.state().known_saga().map(|saga| saga.passed.as_slice()).unwrap_or_default();
    let done = passed.iter().filter(|passed| passed.how == How::Done).map(|passed| passed.step.clone());
    let done = done.filter(|step| !draft.definition.stays_when_done(step));
    let under_way = draft.state().open().iter().filter(|open| open.was_asked()).map(|open| open.step.clone());
    done.chain(under_way).collect()
}

fn roll_back(draft: &mut Draft<'_>, possible: Vec<StepName>, cause: Cause) {
    let definition = draft.definition;
    let started_by = draft.state().known_saga().and_then(|saga| saga.started_by.clone());
    let can_be_undone = |step: &StepName| definition.compensation(step, started_by.as_ref()).is_some();
    let possible: Vec<StepName> = possible.into_iter().filter(can_be_undone).collect();
    let mut stages = definition.rollback_stages(&possible);
    // Step 0 happened before all others, so it is undone last.
    if can_be_undone(&StepName::start()) {
        stages.push(vec![StepName::start()]);
    }
    draft.push(Fact::RollbackStarted { cause, stages });
    go_on(draft);
}

/// Asks for the compensations of the current stage; ends the rollback when no stage is left.
pub(super) fn go_on(draft: &mut Draft<'_>) {
    if draft.definition.observes().is_some() {
        return observe::go_on(draft);
    }
    let State::RollingBack(rolling_back) = draft.state() else { return };
    let Some(stage) = rolling_back.stages.first().cloned() else {
        let reason = rolling_back.cause.to_string();
        child::tell(draft, SubSagaAnswer::RolledBack, Some(reason.clone()));
        draft.push(Fact::SagaRolledBack { reason });
        return;
    };
    for step in stage {
        if draft.find_open(&step).is_some() {
            continue;
        }
        match draft.ask_of(&step) {
            Some(ask) => ask::request(draft, &step, ask),
            None => draft.stuck(&step, format!("this definition does not say how to undo {step}")),
        }
    }
}
