//! Whether a saga may go on under another definition of its name.
//!
//! Separate because nothing here happens to a saga: two definitions and a state are compared, and whatever would be done
//! differently from what was done already is named. The rules are written for people in `docs/definitions.md`.

mod compare;
mod obstacle;
mod place;

pub use obstacle::Obstacle;

use std::collections::BTreeSet;

use crate::definition::Definition;
use crate::definition::plan::{Action, Kept};
use crate::event::{Event, Fact};
use crate::ids::{RESULT_STEP, START_STEP, StepName};
use crate::state::{Course, How, Saga, State};

/// Whether a live saga may go on under `to`.
///
/// # Errors
/// Everything that stands against it, in the order of the definition.
pub fn can_move(from: &Definition, to: &Definition, state: &State) -> Result<(), Vec<Obstacle>> {
    if from.name() != to.name() {
        return Err(vec![Obstacle::OtherName { from: from.name().to_owned(), to: to.name().to_owned() }]);
    }
    let Some(saga) = state.saga() else { return Err(vec![Obstacle::NotLive { status: state.status() }]) };
    let mut look = Look { from, to, saga, found: Vec::new() };
    match state {
        State::RollingBack(back) => look.back(&back.stages, state),
        State::Paused(paused) => look.course(&paused.course, state),
        State::Stuck(stuck) => {
            look.course(&stuck.course, state);
            look.stuck_at(&stuck.step);
        }
        _ => look.forward(state),
    }
    let mut told = BTreeSet::new();
    look.found.retain(|obstacle| told.insert(obstacle.to_string()));
    if look.found.is_empty() { Ok(()) } else { Err(look.found) }
}

/// Whether an entry of a journal says that its saga goes on under another definition from there; that one's hash.
pub const fn moved_to(event: &Event) -> Option<&String> {
    match &event.fact {
        Fact::DefinitionMoved { to, .. } => Some(to),
        _ => None,
    }
}

/// Two definitions, a saga, and what was found so far.
struct Look<'a> {
    from: &'a Definition,
    to: &'a Definition,
    saga: &'a Saga,
    found: Vec<Obstacle>,
}

impl Look<'_> {
    fn course(&mut self, course: &Course, state: &State) {
        match course {
            Course::Advancing(_) => self.forward(state),
            Course::RollingBack(back) => self.back(&back.stages, state),
        }
    }

    /// What was done and is under way is there, is undone in the same way, and is where the saga has come by.
    fn forward(&mut self, state: &State) {
        let passed = self.saga.passed.iter().filter(|passed| !is_of_no_definition(&passed.step));
        let passed: Vec<_> = passed.map(|passed| (passed.step.clone(), passed.how)).collect();
        for (step, how) in &passed {
            self.kind(step);
            if *how != How::NotNeeded {
                self.command(step);
                self.undoing(step);
            }
        }
        self.undoing(&StepName::start());
        for open in state.open() {
            self.kind(&open.step);
            self.command(&open.step);
            self.undoing(&open.step);
            self.answers(&open.step);
            self.source(&open.step);
        }
        let decided = self.saga.chosen.keys().chain(self.saga.items.keys()).cloned().collect::<Vec<_>>();
        decided.iter().for_each(|step| self.kind(step));
        for step in self.saga.early.keys().cloned().collect::<Vec<_>>() {
            self.kind(&step);
            self.source(&step);
        }
        self.branches();
        self.results();
        let passed = passed.into_iter().map(|(step, _)| step);
        let touched = passed.chain(state.open().iter().map(|open| open.step.clone())).chain(decided);
        self.places(touched.collect());
    }

    /// What is still to be undone is undone in the same way. Where the saga stood before does not matter any more.
    fn back(&mut self, stages: &[Vec<StepName>], state: &State) {
        for step in stages.iter().flatten() {
            self.kind(step);
            self.undoing(step);
        }
        for open in state.open() {
            self.answers_to_undoing(&open.step);
        }
        self.results();
    }

    /// A person must find the step there to try again or settle it.
    fn stuck_at(&mut self, step: &StepName) {
        if !is_of_no_definition(step) && self.to.step(step).is_none() {
            self.found.push(Obstacle::StepGone { step: step.clone() });
        }
    }

    fn branches(&mut self) {
        for (step, branch) in &self.saga.chosen {
            let action = self.to.step(step).map(|step| &step.action);
            let (Some(Action::Choice(choice)), Some(branch)) = (action, branch) else { continue };
            if usize::try_from(*branch).is_ok_and(|branch| branch >= choice.conditions.len()) {
                self.found.push(Obstacle::BranchGone { step: step.clone(), branch: *branch });
            }
        }
    }

    /// Only what was used was kept, so nothing else of what is behind can be used now.
    fn results(&mut self) {
        let passed = self.saga.passed.iter().filter(|passed| matches!(passed.how, How::Done | How::Undone));
        let kept = passed.map(|passed| &passed.step).chain(self.saga.early.keys());
        for step in kept {
            let (Some(before), Some(after)) = (self.from.step(step), self.to.step(step)) else { continue };
            if let Some(what) = compare::not_kept(&before.kept, &after.kept) {
                self.found.push(Obstacle::ResultNotKept { step: step.clone(), what });
            }
        }
        for list in self.saga.items.keys() {
            let inside = self.to.steps().iter().filter(|step| step.each.as_ref() == Some(list));
            let missing = inside
                .filter(|step| step.kept != Kept::Nothing && !self.saga.results.contains_key(&step.name.identifier()));
            self.found.extend(
                missing
                    .map(|step| Obstacle::ResultNotKept { step: step.name.clone(), what: compare::words(&step.kept) }),
            );
        }
    }

    fn places(&mut self, touched: BTreeSet<StepName>) {
        if self.found.iter().any(|obstacle| matches!(obstacle, Obstacle::StepGone { .. })) {
            return; // Everything behind it would be told as well.
        }
        let reached = place::reached(self.to, self.saga);
        let missing = touched.into_iter().filter(|step| self.to.step(step).is_some() && !reached.steps.contains(step));
        let missing: Vec<StepName> = missing.collect();
        for step in missing {
            let behind = reached.unfinished.iter().filter(|name| **name != step).cloned().collect();
            self.found.push(Obstacle::OutOfPlace { step, behind });
        }
    }
}

/// Step 0 and a saga's result stand in no definition's list of steps.
fn is_of_no_definition(step: &StepName) -> bool {
    step.as_str() == START_STEP || step.as_str() == RESULT_STEP
}
