//! Sagas that stand still, paused or stuck: what reaches them meanwhile, and how they go on.
//!
//! Separate because both stand still in the same way: no clock runs, replies are kept, and going on takes everything
//! up where it was.

use super::draft::Draft;
use super::matching::{Meaning, Verdict, meaning, verdict};
use super::{ask, forward, reply, rollback};
use crate::cause::By;
use crate::definition::plan::Ask;
use crate::event::Fact;
use crate::ids::{Direction, StepName};
use crate::input::Reply;
use crate::state::{Paused, State, Stuck, Waiting};

/// Most replies kept for a saga that stands still; participants are asked again for what did not fit.
pub(super) const REPLIES_MAX: usize = 32;

/// Keeps a reply that means something until the saga goes on.
pub(super) fn hear_paused(draft: &mut Draft<'_>, paused: &Paused, reply: &Reply) {
    match meaning(draft, reply) {
        Meaning::Answer { step, ask } if says(draft, &step, ask, reply) == Some(Verdict::Nothing) => {}
        Meaning::Nothing => {}
        Meaning::Answer { .. } | Meaning::Undone { .. } | Meaning::Arrival { .. } => {
            keep(draft, &paused.replies, reply)
        }
    }
}

/// A late yes to the step that is stuck sets the saga free; other replies are kept.
pub(super) fn hear_stuck(draft: &mut Draft<'_>, stuck: &Stuck, reply: &Reply) {
    match meaning(draft, reply) {
        Meaning::Answer { step, ask } => match says(draft, &step, ask, reply) {
            Some(Verdict::Done) if step == stuck.step => {
                draft.causation = Some(reply.event_id);
                draft.push(Fact::SagaUnstuck { by: None });
                reply::done(draft, &step, reply);
                go_on(draft, &stuck.replies);
            }
            Some(Verdict::Nothing) => {}
            _ if step == stuck.step => {}
            _ => keep(draft, &stuck.replies, reply),
        },
        Meaning::Nothing => {}
        Meaning::Undone { .. } | Meaning::Arrival { .. } => keep(draft, &stuck.replies, reply),
    }
}

/// What an answer says; nothing is known when its condition cannot be evaluated.
fn says(draft: &Draft<'_>, step: &StepName, ask: &Ask, reply: &Reply) -> Option<Verdict> {
    verdict(draft, draft.find_open(step)?, ask, reply).ok()
}

fn keep(draft: &mut Draft<'_>, kept: &[Reply], reply: &Reply) {
    let is_new = kept.iter().all(|kept| kept.event_id != reply.event_id);
    if is_new && kept.len() < REPLIES_MAX {
        draft.push(Fact::ReplyKept { reply: reply.clone() });
    }
}

/// A paused saga goes on.
pub(super) fn resume(draft: &mut Draft<'_>, paused: &Paused, by: &By) {
    draft.push(Fact::SagaResumed { by: by.clone() });
    go_on(draft, &paused.replies);
}

/// A stuck saga tries again: a new attempt, with as many to follow as the step allows.
pub(super) fn retry(draft: &mut Draft<'_>, stuck: &Stuck, by: &By) {
    draft.push(Fact::SagaUnstuck { by: Some(by.clone()) });
    let given_up = draft.find_open(&stuck.step).is_some_and(|open| {
        matches!(open.waiting, Waiting::AfterRefusal | Waiting::AfterSilence | Waiting::Turn { .. })
    });
    if let Some(ask) = draft.ask_of(&stuck.step).filter(|_| given_up) {
        ask::request(draft, &stuck.step, ask);
    }
    go_on(draft, &stuck.replies);
}

/// A stuck saga goes on as if the step had been done: a person has settled it.
pub(super) fn skip(draft: &mut Draft<'_>, stuck: &Stuck, by: &By) {
    draft.push(Fact::SagaUnstuck { by: Some(by.clone()) });
    let (step, by) = (stuck.step.clone(), by.clone());
    match draft.state().direction() {
        Some(Direction::Forward) if !draft.has_passed(&step) => draft.push(Fact::StepSkipped { step, by: Some(by) }),
        Some(Direction::Compensate) => draft.push(Fact::CompensationSkipped { step, by }),
        Some(Direction::Forward) | None => {}
    }
    go_on(draft, &stuck.replies);
}

/// Takes everything up where it was, then deals with what came meanwhile.
fn go_on(draft: &mut Draft<'_>, replies: &[Reply]) {
    match draft.state() {
        State::Advancing(_) => forward::advance(draft),
        State::RollingBack(_) => rollback::go_on(draft),
        _ => {}
    }
    for kept in replies {
        match draft.state().clone() {
            State::Advancing(_) | State::RollingBack(_) => reply::hear(draft, kept),
            State::Paused(paused) => hear_paused(draft, &paused, kept),
            State::Stuck(stuck) => hear_stuck(draft, &stuck, kept),
            State::NotStarted
            | State::Refused(_)
            | State::Completed(_)
            | State::RolledBack(_)
            | State::Abandoned(_) => {}
        }
    }
}
