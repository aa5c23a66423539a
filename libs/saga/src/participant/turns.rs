//! Who waits for a turn at which participant, who has one, and who is next: of all sagas of a lane.
//!
//! Separate because it is derived from the sagas' states alone and stored nowhere: whoever reads the states again, after
//! a restart, counts the same.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{Bucket, Limits};
use crate::definition::Definition;
use crate::ids::{Direction, SagaId, StepName};
use crate::state::{State, Waiting};
use crate::time::Timestamp;

/// The turns of one lane.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    desks: BTreeMap<String, Desk>,
    /// What each saga has or waits for, to be taken back when it moves.
    sagas: BTreeMap<SagaId, Vec<Stake>>,
}

/// A participant's desk: where its turns are given.
#[derive(Clone, Debug, Default)]
struct Desk {
    limits: Limits,
    taken: u32,
    queue: BTreeSet<Place>,
    bucket: Option<Bucket>,
}

/// A place in a queue; the first is next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Compensations go before: they end what is there already.
    is_forward: bool,
    queued_at: Timestamp,
    saga: SagaId,
    step: StepName,
}

/// What a saga has at a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stake {
    Taken(String),
    Waits(String, Place),
}

/// A turn that may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// To this saga.
    pub saga: SagaId,
    /// For this step.
    pub step: StepName,
    /// In this direction.
    pub direction: Direction,
}

impl Turns {
    /// Nobody waits yet. `limits` are this lane's shares, and name every participant that any saga may wait for.
    #[must_use]
    pub fn new(limits: BTreeMap<String, Limits>) -> Self {
        let desk = |(topic, limits)| (topic, Desk { limits, ..Desk::default() });
        Self { desks: limits.into_iter().map(desk).collect(), sagas: BTreeMap::new() }
    }

    /// Nobody waits any more, and nobody has a place.
    pub fn clear(&mut self) {
        self.sagas.clear();
        for desk in self.desks.values_mut() {
            (desk.taken, desk.queue) = (0, BTreeSet::new());
        }
    }

    /// Whether no participant has limits: then nobody ever waits.
    #[must_use]
    pub fn are_free(&self) -> bool {
        self.desks.is_empty()
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn has_queues(&self) -> bool {
        self.desks.values().any(|desk| !desk.queue.is_empty())
    }

    /// A saga stands there now; `None` when it has ended or is to be left alone. A saga that stands still has no place
    /// and waits for none.
    pub fn moved(&mut self, saga: SagaId, to: Option<(&Definition, &State)>) {
        if self.are_free() {
            return;
        }
        let stakes = to.map(|(definition, state)| self.stakes(saga, definition, state)).unwrap_or_default();
        let before = self.sagas.get(&saga).map(Vec::as_slice).unwrap_or_default();
        if before == stakes {
            return;
        }
        for stake in self.sagas.remove(&saga).unwrap_or_default() {
            match stake {
                Stake::Taken(topic) => self.at(&topic, |desk| desk.taken = desk.taken.saturating_sub(1)),
                Stake::Waits(topic, place) => self.at(&topic, |desk| {
                    desk.queue.remove(&place);
                }),
            }
        }
        for stake in &stakes {
            match stake {
                Stake::Taken(topic) => self.at(topic, |desk| desk.taken += 1),
                Stake::Waits(topic, place) => self.at(topic, |desk| {
                    desk.queue.insert(place.clone());
                }),
            }
        }
        if !stakes.is_empty() {
            self.sagas.insert(saga, stakes);
        }
    }

    /// The next turn, if there is a place for it. A saga that was given one has to be told of by [`Turns::moved`] before
    /// this is asked again.
    pub fn next(&mut self, now: Timestamp) -> Option<Turn> {
        let desk = self.desks.values_mut().find(|desk| desk.has_place() && desk.free_at(now) <= now)?;
        let place = desk.queue.first()?.clone();
        if let Some(rate) = desk.limits.rate_max {
            desk.bucket.get_or_insert_with(|| Bucket::new(rate, now)).take(rate, now);
        }
        let direction = if place.is_forward { Direction::Forward } else { Direction::Compensate };
        Some(Turn { saga: place.saga, step: place.step, direction })
    }

    /// When a turn can be given for which there is a place now, and only the rate keeps it waiting.
    #[must_use]
    pub fn free_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.desks.values().filter(|desk| desk.has_place());
        waiting.map(|desk| desk.free_at(now)).min()
    }

    /// How many wait, and how many have a place, by participant.
    pub fn counts(&self) -> impl Iterator<Item = (&str, usize, u32)> {
        self.desks.iter().map(|(topic, desk)| (topic.as_str(), desk.queue.len(), desk.taken))
    }

    fn at(&mut self, topic: &str, change: impl FnOnce(&mut Desk)) {
        if let Some(desk) = self.desks.get_mut(topic) {
            change(desk);
        }
    }

    fn stakes(&self, saga: SagaId, definition: &Definition, state: &State) -> Vec<Stake> {
        let is_forward = match state {
            State::Advancing(_) => true,
            State::RollingBack(_) => false,
            _ => return Vec::new(),
        };
        let stake = |open: &crate::state::Open| match &open.waiting {
            Waiting::Turn { participant, queued_at, .. } => {
                let place = Place { is_forward, queued_at: *queued_at, saga, step: open.step.clone() };
                Some(Stake::Waits(participant.clone(), place))
            }
            Waiting::Answer { .. } => {
                let topic = &definition.asked(state, &open.step)?.topic;
                self.desks.contains_key(topic).then(|| Stake::Taken(topic.clone()))
            }
            Waiting::NextAttempt { .. }
            | Waiting::Delay { .. }
            | Waiting::Arrival { .. }
            | Waiting::AfterRefusal
            | Waiting::AfterSilence => None,
        };
        state.open().iter().filter_map(stake).collect()
    }
}

impl Desk {
    /// Whether somebody waits and not too many have a place.
    fn has_place(&self) -> bool {
        !self.queue.is_empty() && self.limits.in_flight_max.is_none_or(|max| self.taken < max)
    }

    /// When there is a token; a bucket that nobody has taken from yet has one.
    fn free_at(&self, now: Timestamp) -> Timestamp {
        let bucket = self.limits.rate_max.zip(self.bucket);
        bucket.map_or(now, |(rate, bucket)| bucket.free_at(rate))
    }
}
