//! Which of a saga's deadlines are due while clocks of some participants stand still.
//!
//! Separate because the engine knows nothing of it: a deadline that is not given to it has not passed. Only attempts
//! that wait for an answer are withheld; delays, waits for the next attempt and the saga's own deadline run on.

use std::collections::BTreeMap;

use super::openings::{Opening, Openings};
use crate::definition::Definition;
use crate::input::Input;
use crate::state::{OpenDeadline, State};
use crate::time::Timestamp;

/// The openings of every participant whose breaker is or was open, by topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks(BTreeMap<String, Openings>);

/// What is due, and what is not because a clock stands still.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// What is due, the earliest first.
    pub inputs: Vec<Input>,
    /// Deadlines that have passed and are withheld: their participants' breakers are open.
    pub withheld: Vec<Withheld>,
    /// When something is due next that is not due now, if it is known: of attempts whose clock stands still it is not.
    pub next: Option<Timestamp>,
}

/// A deadline that has passed by the clock on the wall, and counts once it is let through.
#[derive(Clone, Debug, PartialEq)]
pub struct Withheld {
    /// The participant, by its topic.
    pub participant: String,
    /// When the deadline passed.
    pub passed_at: Timestamp,
    /// What the engine is told when it is let through.
    pub input: Input,
}

/// Openings with their participants' topics, in any order.
impl FromIterator<(String, Opening)> for Clocks {
    fn from_iter<I: IntoIterator<Item = (String, Opening)>>(openings: I) -> Self {
        let mut of_topic: BTreeMap<String, Vec<Opening>> = BTreeMap::new();
        for (topic, opening) in openings {
            of_topic.entry(topic).or_default().push(opening);
        }
        Self(of_topic.into_iter().map(|(topic, openings)| (topic, Openings::new(openings))).collect())
    }
}

impl Clocks {
    /// Whether every clock runs and none has stood still of late: then deadlines are what they say.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        self.0.is_empty()
    }

    /// The openings of a participant.
    #[must_use]
    pub fn of(&self, participant: &str) -> Option<&Openings> {
        self.0.get(participant)
    }

    /// Participants with openings, each with its own.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Openings)> {
        self.0.iter().map(|(participant, openings)| (participant.as_str(), openings))
    }

    /// What of a saga is due at `now`, and what is withheld.
    #[must_use]
    pub fn due(&self, definition: &Definition, state: &State, now: Timestamp) -> Due {
        let mut due = Due::default();
        let mut ripe: Vec<(Timestamp, Input)> = Vec::new();
        let mut at = |at: Timestamp, input: Input, due: &mut Due| {
            if at <= now {
                ripe.push((at, input));
            } else {
                due.next = Some(due.next.map_or(at, |next| next.min(at)));
            }
        };
        for open in state.open_deadlines() {
            let input = Input::Deadline { step: open.step.clone(), direction: open.direction, attempt: open.attempt };
            match self.stands(definition, state, &open) {
                None => at(open.at, input, &mut due),
                Some((participant, began, openings)) => match openings.effective(began, open.at, now) {
                    Some(effective) => at(effective, input, &mut due),
                    None if open.at <= now => {
                        due.withheld.push(Withheld { participant, passed_at: open.at, input });
                    }
                    // By then it is known whether it is withheld.
                    None => at(open.at, input, &mut due),
                },
            }
        }
        if let Some(deadline) = state.saga_deadline() {
            at(deadline, Input::SagaDeadline, &mut due);
        }
        ripe.sort_by_key(|(at, _)| *at);
        due.inputs = ripe.into_iter().map(|(_, input)| input).collect();
        due
    }

    /// The openings that this deadline has to do with, and when its attempt began.
    fn stands(
        &self,
        definition: &Definition,
        state: &State,
        open: &OpenDeadline,
    ) -> Option<(String, Timestamp, &Openings)> {
        if !open.awaits_answer || self.are_quiet() {
            return None;
        }
        let ask = definition.asked(state, &open.step)?;
        let openings = self.of(&ask.topic)?;
        // No state says when an attempt began: its time says so, unless the time for all attempts was shorter.
        let since = state.open().iter().find(|other| other.step == open.step).map(|other| other.since)?;
        let began = open.at.minus(ask.patience.timeout).max(since);
        Some((ask.topic.clone(), began, openings))
    }
}
