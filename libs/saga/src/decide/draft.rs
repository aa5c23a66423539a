//! A decision being made: the events so far, and the state they lead to.
//!
//! Separate because every rule looks at the state as it is after the facts already decided; folding them with the
//! same `evolve` that replays the journal keeps the two from ever disagreeing.

use std::borrow::Cow;

use serde_json::Value;
use uuid::Uuid;

use super::Unsendable;
use crate::definition::Definition;
use crate::definition::plan::{Ask, Command, Wait};
use crate::event::{Event, Fact};
use crate::evolve::evolve;
use crate::expression::{Facts, ItemFacts, SagaFacts};
use crate::ids::{Direction, START_STEP, StepName};
use crate::state::{Course, How, Open, Saga, State, Stuck};
use crate::time::Timestamp;

/// A decision being made.
pub(super) struct Draft<'d> {
    pub(super) definition: &'d Definition,
    pub(super) now: Timestamp,
    /// Id of the event that led here, if one did.
    pub(super) causation: Option<Uuid>,
    unsendable: &'d [Unsendable],
    state: Cow<'d, State>,
    events: Vec<Event>,
}

impl<'d> Draft<'d> {
    pub(super) fn new(definition: &'d Definition, state: &'d State, now: Timestamp) -> Self {
        Self { definition, now, causation: None, unsendable: &[], state: Cow::Borrowed(state), events: Vec::new() }
    }

    /// The same, knowing what cannot be sent.
    pub(super) fn without(self, unsendable: &'d [Unsendable]) -> Self {
        Self { unsendable, ..self }
    }

    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Where the facts so far lead.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Decides a fact.
    pub(super) fn push(&mut self, fact: Fact) {
        let event = Event { at: self.now, fact };
        let state = std::mem::take(self.state.to_mut());
        self.state = Cow::Owned(evolve(state, &event));
        self.events.push(event);
    }

    pub(super) fn find_open(&self, step: &StepName) -> Option<&Open> {
        self.state.open().iter().find(|open| open.step == *step)
    }

    /// The same, if it was ever asked for: what still waits for its first turn is not answered.
    pub(super) fn find_asked(&self, step: &StepName) -> Option<&Open> {
        self.find_open(step).filter(|open| open.was_asked())
    }

    /// Brings the saga to a stand: only a person can say how to go on.
    pub(super) fn stuck(&mut self, step: &StepName, reason: String) {
        if let State::Advancing(_) | State::RollingBack(_) = self.state() {
            let direction = self.state.direction().unwrap_or(Direction::Forward);
            self.push(Fact::SagaStuck { step: step.clone(), direction, reason });
        }
    }

    /// Why what a step says cannot be sent, if it is known that it cannot.
    pub(super) fn why_unsendable(&self, step: &StepName, direction: Direction) -> Option<String> {
        let mut known = self.unsendable.iter();
        let found = known.find(|unsendable| unsendable.step == *step && unsendable.direction == direction);
        found.map(|unsendable| unsendable.reason.clone())
    }

    /// The command under way in a step, in the direction the saga is going.
    pub(super) fn ask_of(&self, step: &StepName) -> Option<&'d Ask> {
        self.definition.asked(&self.state, step)
    }

    pub(super) fn command_of(&self, step: &StepName) -> Option<&'d Command> {
        self.definition.step(step)?.action.command()
    }

    pub(super) fn wait_of(&self, step: &StepName) -> Option<&'d Wait> {
        self.definition.step(step)?.action.wait()
    }

    /// The pivot that makes a rollback impossible: it was passed, or it is under way and may have happened.
    pub(super) fn point_of_no_return(&self) -> Option<StepName> {
        let mut open = self.state.open().iter().filter(|open| open.was_asked()).map(|open| &open.step);
        let under_way = || open.find(|step| self.definition.is_pivot(step)).cloned();
        self.pivot_passed().or_else(under_way)
    }

    /// The pivot, if it was passed for certain.
    pub(super) fn pivot_passed(&self) -> Option<StepName> {
        let passed = self.state.known_saga()?.passed.iter();
        let mut done = passed.filter(|passed| passed.how != How::NotNeeded);
        done.find(|passed| self.definition.is_pivot(&passed.step)).map(|passed| passed.step.clone())
    }

    /// Whether a choice was made, or a list's items are known.
    pub(super) fn has_decided(&self, step: &StepName) -> bool {
        let saga = self.state.saga();
        saga.is_some_and(|saga| saga.chosen.contains_key(step) || saga.items.contains_key(step))
    }

    pub(super) fn has_passed(&self, step: &StepName) -> bool {
        let saga = self.state.saga();
        saga.is_some_and(|saga| saga.passed.iter().any(|passed| passed.step == *step))
    }

    /// Why the saga is rolled back, for compensations to read.
    pub(super) fn rollback_reason(&self) -> Option<String> {
        match self.state() {
            State::RollingBack(back) | State::Stuck(Stuck { course: Course::RollingBack(back), .. }) => {
                Some(back.cause.to_string())
            }
            _ => None,
        }
    }
}

/// What the expressions of a step can see.
pub(super) fn facts<'a>(
    definition: &'a Definition,
    saga: &'a Saga,
    step: &StepName,
    event: Option<&'a Value>,
    reason: Option<String>,
) -> Facts<'a> {
    let item = item(definition, saga, step);
    let saga = SagaFacts { id: saga.id, key: &saga.key, data: &saga.data, results: &saga.results, reason };
    Facts { saga: Some(saga), event, item }
}

/// The item that a step is done for, if it is done for one.
fn item<'a>(definition: &'a Definition, saga: &'a Saga, name: &StepName) -> Option<ItemFacts<'a>> {
    let index = name.item()?;
    let step = definition.step(name)?;
    let value = saga.items.get(step.each.as_ref()?)?.get(usize::try_from(index).ok()?)?;
    Some(ItemFacts { value, index, inside: &definition.each_of(step)?.inside })
}

/// Whether a step is step 0.
pub(super) fn is_start(step: &StepName) -> bool {
    step.as_str() == START_STEP
}
