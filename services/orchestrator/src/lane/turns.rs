//! Giving sagas their turns at participants that are asked by only so many at once.
//!
//! Separate because a turn is given to another saga than the one whose input has made room for it: with the same batch,
//! and never to that input's harm.

use backstitch_processor::{Effects, Timer};
use backstitch_saga::participant::{Turn, Turns};
use backstitch_saga::{Input as SagaInput, SagaId, Waiting};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::timers::UNSENDABLE_RETRY;
use super::{Asked, Cause, SagaLane};
use crate::engine::Engine;
use crate::participants::limits;
use crate::time::{time, timestamp};

/// The timer that rings when the next turn may be given; no saga's, whose timers are called by their ids.
pub(super) const NEXT_TURN: &str = "turns";
/// At a high rate several turns are given together: a timer rings no sooner than after this.
const PAUSE: TimeDelta = TimeDelta::milliseconds(50);

impl<E: Engine> SagaLane<E> {
    /// Nobody waits yet: this lane's share of what participants bear.
    pub(super) fn share_limits(&mut self, lanes: i32) {
        let lanes = u32::try_from(lanes).unwrap_or(1).max(1);
        let lane = u32::try_from(self.lane.0).unwrap_or(0);
        let limits = limits(&self.definitions);
        for (participant, limits) in limits.iter().filter(|(_, limits)| lane == 0 && limits.are_below(lanes)) {
            tracing::warn!(
                participant,
                lanes,
                ?limits,
                "each lane may ask for one at least, so all together may ask for more than the limit"
            );
        }
        let share = |(participant, limits): (String, backstitch_saga::participant::Limits)| {
            (participant, limits.share(lane, lanes))
        };
        self.turns = Turns::new(limits.into_iter().map(share).collect());
    }

    /// The timer that gives the first turns after a claim, if somebody waits.
    pub(super) fn first_turns(&self) -> Option<Timer> {
        let waits = self.turns.has_queues();
        waits.then(|| Timer::reminder(NEXT_TURN, DateTime::UNIX_EPOCH, None))
    }

    /// A saga stands elsewhere now, or stands again where it stood.
    pub(super) fn note_place(&mut self, id: Uuid) {
        if self.turns.are_free() {
            return;
        }
        let live = self.staged.get(&id).map(|staged| &staged.live).or_else(|| self.live.get(&id));
        let to = live.map(|live| (live.definition.as_ref(), &live.state));
        self.turns.moved(SagaId::from_uuid(id), to);
    }

    /// Gives all turns for which there is a place.
    pub(super) fn give_turns(&mut self, now: DateTime<Utc>, effects: &mut Effects) {
        if self.turns.are_free() {
            return;
        }
        let at = timestamp(now);
        while let Some(turn) = self.turns.next(at) {
            if !self.give(&turn, now, effects) {
                self.turns.moved(turn.saga, None);
            }
        }
        if let Some(free_at) = self.turns.free_at(at) {
            effects.remind_on(None, NEXT_TURN, time(free_at).max(now + PAUSE));
        }
    }

    /// Answers whether anything followed.
    fn give(&mut self, turn: &Turn, now: DateTime<Utc>, effects: &mut Effects) -> bool {
        let id = turn.saga.as_uuid();
        // Said where it failed.
        if self.wake(id, now).is_err() {
            effects.remind_on(None, id.to_string(), now + UNSENDABLE_RETRY);
            return false;
        }
        let Some(live) = self.find(id).cloned() else { return false };
        let queued = live.state.open().iter().find(|open| open.step == turn.step).map(|open| &open.waiting);
        let led_here = match queued {
            Some(Waiting::Turn { causation_id, .. }) => *causation_id,
            _ => None,
        };
        let trace = live.trace.clone();
        let cause = Cause { id: led_here, person: None, input: None, trace: trace.clone() };
        let input = SagaInput::Turn { step: turn.step.clone(), direction: turn.direction };
        match self.apply(id, live, &Asked::Input(&input), &cause, now, effects) {
            Ok(followed) => followed,
            Err(rejection) => {
                // Whatever made room is not to blame; a person mends the cause.
                tracing::error!(saga_id = %id, error = %rejection, "a saga cannot take its turn; it is tried again");
                effects.remind_on(trace, id.to_string(), now + UNSENDABLE_RETRY);
                false
            }
        }
    }
}
