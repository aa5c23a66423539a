//! What a lane does when a timer rings, and which deadlines it withholds because a participant's circuit breaker is open.
//!
//! Separate because no saga is written for it: what is withheld is in memory, and found again after a claim when its
//! timer rings. While something is withheld, the lane looks once a second whether it may go on.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_processor::{Effects, Rejection, Timer};
use backstitch_saga::participant::{Clocks, Due, Openings, Withheld};
use backstitch_saga::{Input as SagaInput, Timestamp};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::turns::NEXT_TURN;
use super::{Asked, Cause, Live, SagaLane};
use crate::engine::Engine;
use crate::time::{time, timestamp};

/// The timer that rings while something is withheld; no saga's, whose timers are called by their ids.
pub(super) const LOOK_AGAIN: &str = "withheld";
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(1);

/// A saga whose next command cannot be sent is tried again after this long.
pub(super) const UNSENDABLE_RETRY: TimeDelta = TimeDelta::seconds(30);

/// Sagas of which something is withheld.
#[derive(Debug, Default)]
pub(super) struct Held {
    sagas: BTreeSet<Uuid>,
    /// Sagas that the batch has let go on.
    released: BTreeSet<Uuid>,
    /// Whether the timer is set.
    looks: bool,
    /// When each participant was last probed.
    probed: BTreeMap<String, Timestamp>,
}

impl Held {
    pub(super) fn committed(&mut self) {
        for saga in std::mem::take(&mut self.released) {
            self.sagas.remove(&saga);
        }
    }

    /// Timers that the batch has set are not set.
    pub(super) fn aborted(&mut self) {
        self.released.clear();
        self.looks = false;
    }
}

impl<E: Engine> SagaLane<E> {
    pub(super) fn on_timer(
        &mut self,
        timer: &Timer,
        now: DateTime<Utc>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        if timer.id == LOOK_AGAIN {
            return self.look_again(now, effects);
        }
        if timer.id == NEXT_TURN {
            // Turns are given after every input.
            return Ok(());
        }
        let Ok(id) = Uuid::parse_str(&timer.id) else { return Ok(()) };
        self.wake(id, now)?;
        // One that could not take its turn waits for it again.
        self.note_place(id);
        let Some(live) = self.find(id) else { return Ok(()) };
        let clocks = self.participants.clocks();
        for input in due(&clocks, live, now).inputs {
            self.let_through(id, &input, now, effects)?;
        }
        // Moved meanwhile (a pause, another deadline, an open breaker): wake again when it is really due.
        self.ring_when_due(id, &clocks, now, effects);
        Ok(())
    }

    fn let_through(
        &mut self,
        id: Uuid,
        input: &SagaInput,
        now: DateTime<Utc>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let Some(live) = self.find(id).cloned() else { return Ok(()) };
        let cause = Cause { id: None, person: None, input: None, trace: None };
        if let Err(rejection) = self.apply(id, live, &Asked::Input(input), &cause, now, effects) {
            // There is no message to set aside, and the saga must not be forgotten: a person mends the cause.
            tracing::error!(saga_id = %id, error = %rejection, "a due saga cannot go on; it is tried again");
            effects.remind(id.to_string(), now + UNSENDABLE_RETRY);
            return Err(rejection);
        }
        Ok(())
    }

    fn ring_when_due(&mut self, id: Uuid, clocks: &Clocks, now: DateTime<Utc>, effects: &mut Effects) {
        let Some(due) = self.find(id).map(|live| due(clocks, live, now)) else { return };
        if !due.inputs.is_empty() {
            effects.remind(id.to_string(), now);
        } else if let Some(next) = due.next {
            effects.remind(id.to_string(), time(next));
        }
        if !due.withheld.is_empty() {
            self.held.released.remove(&id);
            self.held.sagas.insert(id);
            self.look_later(now, effects);
        }
    }

    fn look_later(&mut self, now: DateTime<Utc>, effects: &mut Effects) {
        if !std::mem::replace(&mut self.held.looks, true) {
            effects.remind(LOOK_AGAIN, now + LOOK_AGAIN_AFTER);
        }
    }

    /// Sets timers of what is not withheld any more, and lets probes through.
    fn look_again(&mut self, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        self.held.looks = false;
        let clocks = self.participants.clocks();
        let mut overdue: BTreeMap<String, (Timestamp, Uuid, SagaInput)> = BTreeMap::new();
        for id in self.held.sagas.clone() {
            // Said where it failed; the others must not wait for it.
            if self.wake(id, now).is_err() {
                continue;
            }
            let withheld = self.find(id).map(|live| due(&clocks, live, now).withheld).unwrap_or_default();
            if withheld.is_empty() {
                self.held.released.insert(id);
                self.ring_when_due(id, &clocks, now, effects);
            }
            for Withheld { participant, passed_at, input } in withheld {
                let longest = overdue.entry(participant).or_insert_with(|| (passed_at, id, input.clone()));
                if passed_at < longest.0 {
                    *longest = (passed_at, id, input);
                }
            }
        }
        if self.held.released.len() < self.held.sagas.len() {
            self.look_later(now, effects);
        }
        for (participant, (_, id, input)) in overdue {
            if self.may_probe(&clocks, &participant, now) {
                tracing::info!(participant, saga_id = %id, "an overdue attempt is let through as a probe");
                self.held.probed.insert(participant, timestamp(now));
                self.let_through(id, &input, now, effects)?;
                self.ring_when_due(id, &clocks, now, effects);
            }
        }
        Ok(())
    }

    fn may_probe(&self, clocks: &Clocks, participant: &str, now: DateTime<Utc>) -> bool {
        let last = self.held.probed.get(participant).copied();
        let current = clocks.of(participant).and_then(Openings::current);
        let probes_at = current.and_then(|opening| opening.probes_at(last, self.participants.rules()));
        probes_at.is_some_and(|probes_at| time(probes_at) <= now)
    }
}

/// What is due of a saga, and what is withheld.
fn due(clocks: &Clocks, live: &Live, now: DateTime<Utc>) -> Due {
    clocks.due(&live.definition, &live.state, timestamp(now))
}
