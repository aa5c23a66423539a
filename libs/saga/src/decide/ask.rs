//! Asking a participant: the first time, after silence, after a retryable answer, after a person said so; at once, or
//! when its turn has come.
//!
//! Separate because steps and compensations ask alike, and because the one rule that keeps money safe stands here:
//! after silence the same command is sent again, and only an answer raises the try.

use serde_json::Value;

use super::draft::{Draft, facts, is_start};
use crate::backoff;
use crate::definition::plan::Ask;
use crate::event::{Fact, Request};
use crate::expression::EvaluationError;
use crate::ids::{Direction, StepName, command_id};
use crate::state::{Open, Saga, Waiting};
use crate::time::Timestamp;

/// Which attempt a request is.
struct Attempt {
    number: u32,
    try_number: u32,
    since: Timestamp,
}

impl Attempt {
    fn after(open: Option<&Open>, now: Timestamp) -> Self {
        let Some(open) = open else { return Self { number: 1, try_number: 1, since: now } };
        let (raise, since) = match open.waiting {
            Waiting::NextAttempt { raises_try, .. } => (raises_try, open.since),
            Waiting::AfterRefusal => (true, now),
            Waiting::AfterSilence => (false, now),
            Waiting::Turn { raises_try, .. } => (raises_try, open.since),
            Waiting::Answer { .. } | Waiting::Delay { .. } | Waiting::Arrival { .. } => (false, open.since),
        };
        Self { number: open.attempt + 1, try_number: open.try_number + u32::from(raise), since }
    }
}

/// Asks for a step in the direction the saga is going; where the participant has limits, once its turn comes.
pub(super) fn request(draft: &mut Draft<'_>, step: &StepName, ask: &Ask) {
    if draft.definition.limits().contains_key(&ask.topic) {
        queue(draft, step, ask);
    } else {
        send(draft, step, ask);
    }
}

/// The time for all attempts runs while a step waits for its turn, that of the attempt does not.
fn queue(draft: &mut Draft<'_>, step: &StepName, ask: &Ask) {
    let Some(direction) = draft.state().direction() else { return };
    let open = draft.find_open(step);
    let attempt = Attempt::after(open, draft.now);
    // A turn that did not come in time, and that a person asks for again.
    let again = open.is_some_and(|open| matches!(open.waiting, Waiting::Turn { .. }));
    let since = if again { draft.now } else { attempt.since };
    draft.push(Fact::StepQueued {
        step: step.clone(),
        direction,
        participant: ask.topic.clone(),
        raises_try: open.is_some_and(|open| attempt.try_number > open.try_number),
        until: ask.patience.deadline.map(|deadline| since.plus(deadline)),
        causation_id: draft.causation,
    });
}

/// A step's turn has come. One for a step that does not wait for it means nothing.
pub(super) fn turn(draft: &mut Draft<'_>, step: &StepName, direction: Direction) {
    if draft.state().direction() != Some(direction) {
        return;
    }
    let Some(Waiting::Turn { causation_id, .. }) = draft.find_open(step).map(|open| open.waiting.clone()) else {
        return;
    };
    draft.causation = causation_id;
    if let Some(ask) = draft.ask_of(step) {
        send(draft, step, ask);
    }
}

/// Sends the command.
fn send(draft: &mut Draft<'_>, step: &StepName, ask: &Ask) {
    let Some((saga, direction)) = draft.state().saga().zip(draft.state().direction()) else { return };
    let attempt = Attempt::after(draft.find_open(step), draft.now);
    let payload = match payload(draft, saga, step, ask) {
        Ok(payload) => payload,
        Err(error) => return draft.stuck(step, error.to_string()),
    };
    if let Some(reason) = draft.why_unsendable(step, direction) {
        return draft.stuck(step, reason);
    }
    let timeout = draft.now.plus(ask.patience.timeout);
    let request = Request {
        saga: saga.id,
        key: saga.key.clone(),
        step: step.clone(),
        command_id: command_id(saga.id, step.as_str(), None, direction),
        attempt: attempt.number,
        try_number: attempt.try_number,
        deadline: ask.patience.deadline.map_or(timeout, |deadline| timeout.min(attempt.since.plus(deadline))),
        payload,
        causation_id: draft.causation.or(Some(saga.causation_id)),
        started_by: saga.started_by.clone().filter(|_| is_start(step)),
    };
    draft.push(match direction {
        Direction::Forward => Fact::StepRequested(request),
        Direction::Compensate => Fact::CompensationRequested(request),
    });
}

fn payload(draft: &Draft<'_>, saga: &Saga, step: &StepName, ask: &Ask) -> Result<Value, EvaluationError> {
    let facts = facts(draft.definition, saga, step, None, draft.rollback_reason());
    ask.payload.evaluate(draft.definition.name(), saga, step, &facts)
}

/// When a step may be asked again, if it may.
pub(super) fn next_attempt(draft: &Draft<'_>, open: &Open, ask: &Ask) -> Option<Timestamp> {
    let (saga, direction) = draft.state().saga().zip(draft.state().direction())?;
    let patience = &ask.patience;
    if open.attempts_now() >= patience.attempts_max {
        return None;
    }
    let command = command_id(saga.id, open.step.as_str(), None, direction);
    let wait = backoff::wait(command, open.attempts_now(), patience.backoff_first, patience.backoff_max);
    let until = draft.now.plus(wait);
    let in_time = patience.deadline.is_none_or(|deadline| until < open.since.plus(deadline));
    in_time.then_some(until)
}
