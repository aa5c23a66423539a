//! What follows from an event of a participant.
//!
//! Separate because refused, silent and late are three different things, and the first is decided here.

use super::draft::Draft;
use super::matching::{Meaning, Verdict, meaning, verdict};
use super::{ask, forward, rollback};
use crate::cause::Cause;
use crate::definition::plan::Ask;
use crate::event::Fact;
use crate::ids::{Direction, StepName};
use crate::input::Reply;
use crate::state::Open;

/// Deals with an event while the saga is moving.
pub(super) fn hear(draft: &mut Draft<'_>, reply: &Reply) {
    draft.causation = Some(reply.event_id);
    match meaning(draft, reply) {
        Meaning::Answer { step, ask } => answer(draft, &step, ask, reply),
        Meaning::Undone { step } => undone(draft, &step, reply),
        Meaning::Arrival { step } => arrive(draft, &step, reply),
        Meaning::Nothing => {}
    }
}

fn answer(draft: &mut Draft<'_>, step: &StepName, ask: &Ask, reply: &Reply) {
    let Some(open) = draft.find_open(step).cloned() else { return };
    match verdict(draft, &open, ask, reply) {
        Err(error) => draft.stuck(step, error.to_string()),
        Ok(Verdict::Nothing) => {}
        Ok(Verdict::Done) => done(draft, step, reply),
        Ok(Verdict::Refused) => refused(draft, &open, reply),
        Ok(Verdict::AskAgain) => ask_again(draft, &open, ask, reply),
    }
}

pub(super) fn done(draft: &mut Draft<'_>, step: &StepName, reply: &Reply) {
    match draft.state().direction() {
        Some(Direction::Forward) => {
            forward::succeed(draft, step, Some((&reply.event_type, reply.event_id)), &reply.data);
        }
        Some(Direction::Compensate) => {
            let (event_type, event_id) = (reply.event_type.clone(), reply.event_id);
            draft.push(Fact::CompensationSucceeded { step: step.clone(), event_type, event_id });
            rollback::go_on(draft);
        }
        None => {}
    }
}

fn ask_again(draft: &mut Draft<'_>, open: &Open, ask: &Ask, reply: &Reply) {
    match ask::next_attempt(draft, open, ask) {
        // The last try was answered with no: that is a no.
        None => refused(draft, open, reply),
        Some(until) => {
            let direction = draft.state().direction().unwrap_or(Direction::Forward);
            let (step, attempt, answer) = (open.step.clone(), open.attempt, Some(reply.event_id));
            draft.push(Fact::RetryScheduled { step, direction, attempt, answer, until });
        }
    }
}

fn refused(draft: &mut Draft<'_>, open: &Open, reply: &Reply) {
    let (step, event_type, event_id) = (open.step.clone(), reply.event_type.clone(), reply.event_id);
    let reason = reply.data.get("reason").and_then(|reason| reason.as_str()).map(str::to_owned);
    let words = reason.clone().unwrap_or_else(|| event_type.clone());
    if draft.state().direction() == Some(Direction::Compensate) {
        draft.push(Fact::CompensationRefused { step: step.clone(), event_type, event_id, reason });
        draft.stuck(&step, format!("the compensation was refused: {words}"));
        return;
    }
    let cause = Cause::Refused { step: step.clone(), event_type: event_type.clone(), reason: reason.clone() };
    draft.push(Fact::StepRefused { step: step.clone(), event_type, event_id, reason });
    let fell_silent_before = open.silences > 0;
    if let Some(pivot) = draft.pivot_passed() {
        draft.stuck(&step, format!("refused after the pivot {pivot}: {words}"));
    } else if fell_silent_before && draft.definition.is_pivot(&step) {
        draft.stuck(&step, format!("the pivot was refused after it had fallen silent: {words}"));
    } else if fell_silent_before {
        rollback::roll_back_including(draft, &step, cause);
    } else {
        rollback::roll_back_before(draft, &step, cause);
    }
}

fn undone(draft: &mut Draft<'_>, step: &StepName, reply: &Reply) {
    let (event_type, event_id) = (reply.event_type.clone(), reply.event_id);
    let cause = Cause::Undone { step: step.clone(), event_type: event_type.clone() };
    let no_return = draft.point_of_no_return();
    draft.push(Fact::StepUndone { step: step.clone(), event_type, event_id });
    match no_return {
        Some(pivot) => draft.stuck(step, format!("taken back after the pivot {pivot}: {}", reply.event_type)),
        None => rollback::roll_back_everything(draft, cause),
    }
}

fn arrive(draft: &mut Draft<'_>, step: &StepName, reply: &Reply) {
    if draft.find_open(step).is_some() {
        forward::succeed(draft, step, Some((&reply.event_type, reply.event_id)), &reply.data);
        return;
    }
    let result = forward::kept(draft, step, &reply.data);
    draft.push(Fact::EarlyKept { step: step.clone(), event_id: Some(reply.event_id), result, by: None });
}
