//! What follows when time is up.
//!
//! Separate because silence is not refusal: it may have happened.

use super::draft::Draft;
use super::{ask, forward, rollback};
use crate::cause::Cause;
use crate::event::Fact;
use crate::ids::{Direction, StepName};
use crate::state::{Advancing, Open, Waiting};

/// A step's time is up. A timer of another attempt or direction, or one that rings early, means nothing.
pub(super) fn step(draft: &mut Draft<'_>, step: &StepName, direction: Direction, attempt: u32) {
    if draft.state().direction() != Some(direction) {
        return;
    }
    let Some(open) = draft.find_open(step).filter(|open| open.attempt == attempt).cloned() else { return };
    if open.waiting.until().is_none_or(|until| draft.now < until) {
        return;
    }
    match open.waiting {
        Waiting::Answer { .. } => silence(draft, &open, direction),
        Waiting::NextAttempt { .. } => {
            if let Some(ask) = draft.ask_of(step) {
                ask::request(draft, step, ask);
            }
        }
        Waiting::Delay { .. } => forward::succeed(draft, step, None, &serde_json::Value::Null),
        Waiting::Arrival { .. } => nothing_came(draft, step),
        Waiting::Turn { .. } => no_turn(draft, &open, direction),
        Waiting::AfterRefusal | Waiting::AfterSilence => {}
    }
}

fn silence(draft: &mut Draft<'_>, open: &Open, direction: Direction) {
    let step = &open.step;
    let Some(ask) = draft.ask_of(step) else { return };
    let next = ask::next_attempt(draft, open, ask);
    draft.push(Fact::StepTimedOut { step: step.clone(), direction, attempt: open.attempt });
    match (next, direction) {
        (Some(until), _) => {
            let (step, attempt) = (step.clone(), open.attempt);
            draft.push(Fact::RetryScheduled { step, direction, attempt, answer: None, until });
        }
        (None, Direction::Compensate) => draft.stuck(step, "the compensation was not answered".to_owned()),
        (None, Direction::Forward) => gave_up(draft, step),
    }
}

fn gave_up(draft: &mut Draft<'_>, step: &StepName) {
    if draft.definition.is_pivot(step) {
        draft.stuck(step, "the pivot was not answered, and it may have happened".to_owned());
    } else if let Some(pivot) = draft.pivot_passed() {
        draft.stuck(step, format!("not answered after the pivot {pivot}"));
    } else {
        rollback::roll_back_including(draft, step, Cause::Silent { step: step.clone() });
    }
}

/// The time for all attempts ended in the queue. What was never asked for did not happen.
fn no_turn(draft: &mut Draft<'_>, open: &Open, direction: Direction) {
    let step = &open.step;
    if direction == Direction::Compensate {
        draft.stuck(step, "the compensation had no turn in time".to_owned());
    } else if open.silences > 0 && draft.definition.is_pivot(step) {
        draft.stuck(step, "the pivot was not answered, and it may have happened".to_owned());
    } else if let Some(pivot) = draft.pivot_passed() {
        draft.stuck(step, format!("no turn in time after the pivot {pivot}"));
    } else {
        rollback::roll_back_everything(draft, Cause::NoTurn { step: step.clone() });
    }
}

fn nothing_came(draft: &mut Draft<'_>, step: &StepName) {
    let goes_on = draft.wait_of(step).is_some_and(|wait| wait.go_on);
    if goes_on {
        draft.push(Fact::WaitEnded { step: step.clone() });
        forward::advance(draft);
    } else {
        rollback::roll_back_everything(draft, Cause::NothingCame { step: step.clone() });
    }
}

/// The saga's time is up: it is rolled back, or, past its pivot, goes on without a deadline.
pub(super) fn saga(draft: &mut Draft<'_>, advancing: &Advancing) {
    if advancing.saga.deadline.is_none_or(|deadline| draft.now < deadline) {
        return;
    }
    match draft.point_of_no_return() {
        Some(_) => draft.push(Fact::SagaDeadlinePassed {}),
        None => rollback::roll_back_everything(draft, Cause::DeadlinePassed),
    }
}
