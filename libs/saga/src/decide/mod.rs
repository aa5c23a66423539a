//! What follows from an input: the engine's rules.
//!
//! Separate files say what happens in each situation; this one only says which situation it is. Everything not named
//! here is a stale or misplaced input and has no effect: `docs/state-grid.md` shows every such cell.

mod ask;
mod child;
mod deadline;
mod draft;
mod flow;
mod forward;
mod matching;
mod moving;
mod observe;
mod operator;
mod reply;
mod rollback;
mod signal;
mod standing;
mod start;

pub use moving::{Move, decide_move};

use crate::definition::Definition;
use crate::event::{Event, Fact};
use crate::ids::{Direction, StepName};
use crate::input::Input;
use crate::state::State;
use crate::time::Timestamp;
use draft::Draft;

/// What a step says and nobody could read: the shell has tried to put it on the wire, and it fits no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsendable {
    /// The step.
    pub step: StepName,
    /// Its command or event, or its compensation.
    pub direction: Direction,
    /// What does not fit, for people.
    pub reason: String,
}

/// What follows from `input` at `now`. An empty answer means that the input has no effect: it is late, repeated, or
/// meant for another state.
pub fn decide(definition: &Definition, state: &State, input: &Input, now: Timestamp) -> Vec<Event> {
    decide_without(definition, state, input, now, &[])
}

/// The same where it is known that some of what would follow cannot be sent: instead of saying it, the saga is stuck
/// there, as with a payload that cannot be computed. The step was then not asked, so it surely was not done. Ask again
/// with everything found so far until all that follows can be sent; each round finds another step.
pub fn decide_without(
    definition: &Definition,
    state: &State,
    input: &Input,
    now: Timestamp,
    unsendable: &[Unsendable],
) -> Vec<Event> {
    let mut draft = Draft::new(definition, state, now).without(unsendable);
    if definition.observes().is_some() {
        observe::decide(&mut draft, state, input);
        return draft.into_events();
    }
    match (state, input) {
        (State::NotStarted, Input::Start(start)) => start::begin(&mut draft, start),
        (State::Refused(refusal), Input::Start(start)) => start::begin_refused(&mut draft, refusal, start),
        (_, Input::Start(start)) => child::started_again(&mut draft, start),
        (_, Input::CancelByParent(wanted)) => child::cancel(&mut draft, wanted),
        (State::NotStarted, Input::Cancel { by }) => draft.push(Fact::CancelledBeforeStart { by: by.clone() }),
        (State::Advancing(_) | State::RollingBack(_), Input::Reply(reply)) => reply::hear(&mut draft, reply),
        (State::Paused(paused), Input::Reply(reply)) => standing::hear_paused(&mut draft, paused, reply),
        (State::Stuck(stuck), Input::Reply(reply)) => standing::hear_stuck(&mut draft, stuck, reply),
        (State::Advancing(_) | State::RollingBack(_), Input::Deadline { step, direction, attempt }) => {
            deadline::step(&mut draft, step, *direction, *attempt);
        }
        (State::Advancing(_) | State::RollingBack(_), Input::Turn { step, direction }) => {
            ask::turn(&mut draft, step, *direction);
        }
        (State::Advancing(advancing), Input::SagaDeadline) => deadline::saga(&mut draft, advancing),
        (State::Advancing(_) | State::Paused(_) | State::Stuck(_), Input::Cancel { by }) => {
            operator::cancel(&mut draft, by);
        }
        (State::Advancing(_) | State::RollingBack(_), Input::Pause { by }) => {
            draft.push(Fact::SagaPaused { by: by.clone() });
        }
        (State::Paused(paused), Input::Resume { by }) => standing::resume(&mut draft, paused, by),
        (State::Stuck(stuck), Input::Retry { by }) => standing::retry(&mut draft, stuck, by),
        (State::Stuck(stuck), Input::Skip { by }) => standing::skip(&mut draft, stuck, by),
        (State::Stuck(_), Input::Abandon { by }) => draft.push(Fact::SagaAbandoned { by: by.clone() }),
        (State::Advancing(_) | State::Paused(_) | State::Stuck(_), Input::Signal(signal)) => {
            signal::arrive(&mut draft, signal);
        }
        _ => {}
    }
    draft.into_events()
}
