//! Sagas that observe: what others do by themselves is journaled as if it had been asked for.
//!
//! Separate because nothing is asked of anybody, and so nothing can be late: events of several topics come in any order,
//! each says what has happened, and only when nothing more can come has the saga ended. A person cannot steer it here.

use std::time::Duration;

use super::draft::Draft;
use super::matching::{about_us, holds};
use super::{forward, standing, start};
use crate::cause::{By, Cause};
use crate::definition::plan::EventMatch;
use crate::event::Fact;
use crate::ids::{Direction, StepName};
use crate::input::{Input, Reply, Seen};
use crate::state::{Course, State, Waiting};

/// How long it may take until everybody has undone their part.
const UNDONE_WITHIN: Duration = Duration::from_mins(15);

/// What an event says about an observed flow.
enum Sight {
    /// This step was done.
    Done(StepName),
    /// It was not, and will not be.
    Refused(StepName),
    /// It is undone; step 0: the flow is called off.
    Undone(StepName),
}

/// What follows from `input`. Everything not named here has no effect.
pub(super) fn decide(draft: &mut Draft<'_>, state: &State, input: &Input) {
    match (state, input) {
        (State::NotStarted, Input::Start(start)) => start::begin(draft, start),
        (_, Input::Seen(seen)) => see(draft, seen),
        (State::Advancing(_) | State::RollingBack(_), Input::Deadline { step, direction, attempt: _ }) => {
            silence(draft, step, *direction);
        }
        (State::Advancing(advancing), Input::SagaDeadline) => {
            let is_over = advancing.saga.deadline.is_some_and(|deadline| deadline <= draft.now);
            let waits_for = advancing.open.first().map(|open| open.step.clone());
            if let Some(step) = waits_for.filter(|_| is_over) {
                draft.push(Fact::SagaDeadlinePassed {});
                draft.stuck(&step, "the flow went silent".to_owned());
            }
        }
        (State::Advancing(_) | State::RollingBack(_) | State::Stuck(_), Input::Cancel { by }) => refuse(draft, by),
        (State::Stuck(stuck), Input::Skip { by }) => standing::skip(draft, stuck, by),
        (State::Stuck(_), Input::Abandon { by }) => draft.push(Fact::SagaAbandoned { by: by.clone() }),
        _ => {}
    }
}

fn refuse(draft: &mut Draft<'_>, by: &By) {
    let reason = "this saga only observes: whoever takes part in the flow has to cancel it".to_owned();
    draft.push(Fact::CancelRefused { by: by.clone(), reason });
}

fn see(draft: &mut Draft<'_>, seen: &Seen) {
    if *draft.state() == State::NotStarted {
        start::begin(draft, &seen.start);
    }
    draft.causation = Some(seen.event.event_id);
    let Some(sight) = sight(draft, &seen.event).filter(|sight| says_something(draft.state(), sight)) else { return };
    if matches!(draft.state(), State::Stuck(_)) {
        draft.push(Fact::SagaUnstuck { by: None });
    }
    follow(draft, sight, &seen.event);
}

/// What the event says, and about which step.
fn sight(draft: &Draft<'_>, event: &Reply) -> Option<Sight> {
    let is = |step: &StepName, wanted: &[EventMatch]| {
        let mut wanted = wanted.iter().filter(|wanted| wanted.event == event.event_type);
        wanted.any(|wanted| holds(draft, step, wanted, event).unwrap_or(false))
    };
    let start = StepName::start();
    let mut triggers = draft.definition.triggers().iter().filter(|trigger| trigger.topic == event.topic);
    if triggers.any(|trigger| about_us(draft, Some(&trigger.key), event) && is(&start, &trigger.undone)) {
        return Some(Sight::Undone(start));
    }
    let steps = draft.definition.observed().filter(|(_, observed)| observed.topic == event.topic);
    let mut steps = steps.filter(|(_, observed)| about_us(draft, observed.key.as_deref(), event));
    steps.find_map(|(step, observed)| match () {
        () if is(step, &observed.refused) => Some(Sight::Refused(step.clone())),
        () if is(step, &observed.done) => Some(Sight::Done(step.clone())),
        () if is(step, &observed.undone) => Some(Sight::Undone(step.clone())),
        () => None,
    })
}

/// Whether the event says something that was not known.
fn says_something(state: &State, sight: &Sight) -> bool {
    let back = match state {
        State::RollingBack(back) => Some(back),
        State::Stuck(stuck) => match &stuck.course {
            Course::RollingBack(back) => Some(back),
            Course::Advancing(_) => None,
        },
        _ => None,
    };
    match (back, sight) {
        // What is done by somebody who has not heard yet is undone once he has.
        (Some(_), Sight::Done(_)) => false,
        (Some(back), Sight::Refused(step) | Sight::Undone(step)) => {
            back.stages.iter().any(|stage| stage.contains(step))
        }
        (None, Sight::Done(step) | Sight::Refused(step)) => {
            state.saga().is_some_and(|saga| saga.passed.iter().all(|passed| passed.step != *step))
        }
        (None, Sight::Undone(_)) => state.known_saga().is_some(),
    }
}

fn follow(draft: &mut Draft<'_>, sight: Sight, event: &Reply) {
    let (event_type, event_id) = (event.event_type.clone(), event.event_id);
    let reason = event.data.get("reason").and_then(|reason| reason.as_str()).map(str::to_owned);
    let is_back = draft.state().direction() == Some(Direction::Compensate);
    match sight {
        Sight::Done(step) => forward::succeed(draft, &step, Some((&event.event_type, event_id)), &event.data),
        // It did not happen, so there is nothing to undo.
        Sight::Refused(step) if is_back => settle(draft, step, event),
        Sight::Refused(step) => {
            let cause = Cause::Refused { step: step.clone(), event_type: event_type.clone(), reason: reason.clone() };
            draft.push(Fact::StepRefused { step: step.clone(), event_type, event_id, reason });
            turn_back(draft, Some(&step), cause);
            go_on(draft);
        }
        Sight::Undone(step) => {
            if !is_back {
                let cause = if step == StepName::start() {
                    Cause::CalledOff { event_type, reason }
                } else {
                    Cause::Undone { step: step.clone(), event_type }
                };
                turn_back(draft, None, cause);
            }
            settle(draft, step, event);
        }
    }
}

/// From here on everybody is expected to say that their part is undone, in any order: also those who had no part yet, for
/// the news reaches them all.
fn turn_back(draft: &mut Draft<'_>, refused: Option<&StepName>, cause: Cause) {
    let steps =
        draft.definition.observed().filter(|(step, observed)| refused != Some(*step) && !observed.undone.is_empty());
    let mut stage: Vec<StepName> = steps.map(|(step, _)| step.clone()).collect();
    stage.reverse();
    if draft.definition.triggers().iter().any(|trigger| !trigger.undone.is_empty()) {
        stage.push(StepName::start());
    }
    let stages = if stage.is_empty() { Vec::new() } else { vec![stage] };
    draft.push(Fact::RollbackStarted { cause, stages });
}

fn settle(draft: &mut Draft<'_>, step: StepName, event: &Reply) {
    let (event_type, event_id) = (event.event_type.clone(), event.event_id);
    draft.push(Fact::CompensationSucceeded { step, event_type, event_id });
    go_on(draft);
}

/// Waits for whoever has not said yet that their part is undone; ends the rollback when all have.
pub(super) fn go_on(draft: &mut Draft<'_>) {
    let State::RollingBack(back) = draft.state() else { return };
    let reason = back.cause.to_string();
    let waited_for: Vec<StepName> = back.stages.iter().flatten().cloned().collect();
    if waited_for.is_empty() {
        draft.push(Fact::SagaRolledBack { reason });
        return;
    }
    let deadline = Some(draft.now.plus(UNDONE_WITHIN));
    for step in waited_for {
        if draft.find_open(&step).is_none() {
            draft.push(Fact::WaitStarted { step, deadline });
        }
    }
}

/// Nothing was seen of a step in time. It is told, and waited for: until the saga's deadline, if it has one and goes
/// forward; else a person has to look what has become of it.
fn silence(draft: &mut Draft<'_>, step: &StepName, direction: Direction) {
    let Some(open) = draft.find_open(step).filter(|_| draft.state().direction() == Some(direction)) else { return };
    let Waiting::Arrival { until: Some(until) } = open.waiting else { return };
    if draft.now < until {
        return;
    }
    let attempt = open.attempt;
    draft.push(Fact::StepTimedOut { step: step.clone(), direction, attempt });
    match direction {
        Direction::Compensate => draft.stuck(step, "nobody said that it is undone".to_owned()),
        Direction::Forward if draft.state().saga_deadline().is_none() => {
            draft.stuck(step, "the flow went silent".to_owned());
        }
        Direction::Forward => {}
    }
}
