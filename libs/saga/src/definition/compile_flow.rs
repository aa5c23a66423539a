//! Compiling choices and lists: steps that decide which other steps are done, and how often.
//!
//! Separate because they do nothing themselves: what they bring is who sees whose results, and where a pivot may stand.

use std::collections::BTreeSet;

use super::compile::{Compiler, Place};
use super::plan::{Action, Choice, ForEach, Kept, Node, Step};
use super::problem::Problem;
use super::spec::{BranchSpec, ChoiceSpec, ForEachSpec, GroupRollback, OtherwiseSpec, StepSpec};
use super::{BRANCHES_MAX, ITEMS_MAX};
use crate::ids::StepName;

/// For lists that say nothing else.
const AT_ONCE: u32 = 10;
const ITEMS: u32 = 100;

impl Compiler<'_> {
    pub(super) fn choice(
        &mut self,
        spec: &StepSpec,
        branches: &[ChoiceSpec],
        path: &str,
        place: Place,
    ) -> Option<Node> {
        self.only_these_fields(spec, path, "choice", &["name", "when", "choice", "otherwise"]);
        if branches.is_empty() || branches.len() > BRANCHES_MAX {
            self.problem(format!("{path}.choice"), format!("a choice has 1 to {BRANCHES_MAX} branches"));
        }
        let conditions = branches.iter().enumerate();
        let conditions: Vec<_> = conditions
            .map(|(index, branch)| {
                self.expression(&branch.when, &format!("{path}.choice[{index}].when"), &self.forward_scope())
            })
            .collect();
        let conditions = conditions.into_iter().collect::<Option<Vec<_>>>();
        let otherwise_roll_back = self.otherwise(spec, path);
        let action = conditions.zip(otherwise_roll_back).map(|(conditions, otherwise_roll_back)| {
            Action::Choice(Box::new(Choice { conditions, otherwise_roll_back }))
        });
        let step = self.deciding_step(spec, action, path);
        if !self.not_too_deep(place, &format!("{path}.choice")) {
            return None;
        }
        let (branches, otherwise) = self.choice_branches(spec, branches, path, place);
        Some(Node::Choice { step: step?, branches, otherwise })
    }

    /// Whether the saga is rolled back when no condition holds.
    fn otherwise(&mut self, spec: &StepSpec, path: &str) -> Option<bool> {
        let Some(otherwise) = &spec.otherwise else {
            let expected = ["nothing", "roll_back", "a step", "a list of steps"].map(str::to_owned).to_vec();
            let message = "`otherwise` is missing: say what happens when no condition holds";
            self.problems.push(Problem { expected, ..Problem::new(path, message) });
            return None;
        };
        let roll_back = *otherwise == OtherwiseSpec::RollBack;
        if roll_back && self.pivot_passed {
            self.problem(format!("{path}.otherwise"), "nothing after the pivot is ever rolled back: say `nothing`");
        }
        Some(roll_back)
    }

    fn choice_branches(
        &mut self,
        spec: &StepSpec,
        branches: &[ChoiceSpec],
        path: &str,
        place: Place,
    ) -> (Vec<Vec<Node>>, Vec<Node>) {
        let outside = self.before.clone();
        let mut inside = outside.clone();
        let pivot_before = self.pivot_passed;
        let mut pivots = BTreeSet::new();
        let written = branches.iter().enumerate();
        let written = written.map(|(index, branch)| (format!("{path}.choice[{index}].do"), &branch.steps));
        let otherwise = match &spec.otherwise {
            Some(OtherwiseSpec::Do(steps)) => Some((format!("{path}.otherwise"), steps)),
            // Whoever goes on without a branch passes no pivot.
            Some(OtherwiseSpec::Nothing) => {
                pivots.insert(pivot_before);
                None
            }
            Some(OtherwiseSpec::RollBack) | None => None,
        };
        let mut compiled = Vec::new();
        for (path, branch) in written.chain(otherwise) {
            // Only one branch is taken: none sees what another one would find out.
            self.before.clone_from(&outside);
            self.pivot_passed = pivot_before;
            compiled.push(self.branch(branch, &path, place.inside(None)));
            pivots.insert(self.pivot_passed);
            inside.extend(std::mem::take(&mut self.before));
        }
        self.before = inside;
        self.pivot_passed = pivots.contains(&true);
        if pivots.len() > 1 {
            self.problem(
                format!("{path}.choice"),
                "a pivot in one branch needs one in every other: after the choice nobody could say whether there is a way back",
            );
        }
        let otherwise = if compiled.len() > branches.len() { compiled.pop() } else { None };
        (compiled, otherwise.unwrap_or_default())
    }

    fn branch(&mut self, branch: &BranchSpec, path: &str, place: Place) -> Vec<Node> {
        if branch.0.is_empty() {
            self.problem(path, "a branch needs at least one step");
        }
        self.sequence(&branch.0, path, place)
    }

    pub(super) fn for_each(&mut self, spec: &StepSpec, each: &ForEachSpec, path: &str, place: Place) -> Option<Node> {
        self.only_these_fields(spec, path, "for_each", &["name", "when", "for_each", "roll_back"]);
        let own_path = format!("{path}.for_each");
        if self.each.is_some() {
            self.problem(own_path, "a list in a list is too much for one saga: start a sub-saga for each item");
            return None;
        }
        if !self.not_too_deep(place, &own_path) {
            return None;
        }
        let action = self.list(each, &own_path);
        let step = self.deciding_step(spec, action, path);
        let outside = self.before.clone();
        self.each = Some(StepName::from(spec.name.as_deref().unwrap_or_default()));
        let body = self.branch(&each.steps, &format!("{own_path}.do"), place.inside(Some("a list")));
        self.each = None;
        let inside: BTreeSet<String> = self.before.difference(&outside).cloned().collect();
        self.lists.extend(inside.iter().cloned());
        let step = step?;
        if let Some(Action::ForEach(each)) = self.steps.get_mut(step).map(|step| &mut step.action) {
            each.inside = inside;
        }
        let together = spec.roll_back == Some(GroupRollback::Together);
        Some(Node::ForEach { step, body, together })
    }

    fn list(&mut self, each: &ForEachSpec, path: &str) -> Option<Action> {
        let list = self.expression(&each.list, &format!("{path}.in"), &self.forward_scope());
        let at_once = each.at_once.unwrap_or(AT_ONCE);
        let items_max = each.items_max.unwrap_or(ITEMS);
        if at_once == 0 {
            self.problem(format!("{path}.at_once"), "with none at once nothing would ever be done");
        }
        if items_max == 0 || items_max > ITEMS_MAX {
            self.problem(format!("{path}.items_max"), format!("a list has 1 to {ITEMS_MAX} items"));
        }
        let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (at_once, items_max) = (whole(at_once), whole(items_max));
        Some(Action::ForEach(Box::new(ForEach { list: list?, at_once, items_max, inside: BTreeSet::new() })))
    }

    /// Adds the step that decides; those it decides about follow it.
    fn deciding_step(&mut self, spec: &StepSpec, action: Option<Action>, path: &str) -> Option<usize> {
        let when = self.optional_expression(spec.when.as_deref(), &format!("{path}.when"), &self.forward_scope());
        let name = self.step_name(spec, path)?;
        let each = self.each.clone();
        self.steps.push(Step { name, when, action: action?, kept: Kept::Nothing, each });
        Some(self.steps.len() - 1)
    }
}
