//! In which order steps run, and in which they are undone.
//!
//! Separate because both orders follow from the flow and the set of passed steps alone: no saga stores its position.

use std::collections::BTreeSet;

use super::Definition;
use super::plan::{Node, Step};
use crate::ids::StepName;

impl Definition {
    /// The steps that come next: everything that may run now, given the steps passed so far. Empty at the end.
    pub(crate) fn frontier(&self, passed: impl Fn(&StepName) -> bool) -> Vec<&Step> {
        let mut next = Vec::new();
        self.walk(&self.flow, &passed, &mut next);
        next
    }

    /// Adds what comes next in `nodes`; true when all of them are passed.
    fn walk<'d>(&'d self, nodes: &[Node], passed: &impl Fn(&StepName) -> bool, next: &mut Vec<&'d Step>) -> bool {
        nodes.iter().all(|node| match node {
            Node::Step(index) => {
                let step = &self.steps[*index];
                let is_passed = passed(&step.name);
                if !is_passed {
                    next.push(step);
                }
                is_passed
            }
            // No short-circuit: every branch has its own next step.
            Node::Group { branches, .. } => {
                let unfinished = branches.iter().filter(|branch| !self.walk(branch, passed, next)).count();
                unfinished == 0
            }
        })
    }

    /// The stages of a rollback. `possible` are the steps that were done or may have been, the newest last; each
    /// stage's steps are undone together, one stage after the other.
    pub(crate) fn rollback_stages(&self, possible: &[StepName]) -> Vec<Vec<StepName>> {
        self.undo(&self.flow, possible)
    }

    fn undo(&self, nodes: &[Node], possible: &[StepName]) -> Vec<Vec<StepName>> {
        nodes.iter().rev().flat_map(|node| self.undo_node(node, possible)).collect()
    }

    fn undo_node(&self, node: &Node, possible: &[StepName]) -> Vec<Vec<StepName>> {
        match node {
            Node::Step(index) => {
                let name = &self.steps[*index].name;
                if possible.contains(name) { vec![vec![name.clone()]] } else { Vec::new() }
            }
            Node::Group { branches, together: true } => {
                zip_stages(branches.iter().map(|branch| self.undo(branch, possible)).collect())
            }
            Node::Group { branches, together: false } => {
                let mut inside = BTreeSet::new();
                branches.iter().for_each(|branch| self.names(branch, &mut inside));
                let newest_first = possible.iter().rev().filter(|name| inside.contains(name));
                newest_first.map(|name| vec![name.clone()]).collect()
            }
        }
    }

    fn names<'d>(&'d self, nodes: &[Node], names: &mut BTreeSet<&'d StepName>) {
        for node in nodes {
            match node {
                Node::Step(index) => {
                    names.insert(&self.steps[*index].name);
                }
                Node::Group { branches, .. } => branches.iter().for_each(|branch| self.names(branch, names)),
            }
        }
    }
}

/// Runs the stages of several branches beside each other.
fn zip_stages(branches: Vec<Vec<Vec<StepName>>>) -> Vec<Vec<StepName>> {
    let longest = branches.iter().map(Vec::len).max().unwrap_or(0);
    let mut stages = vec![Vec::new(); longest];
    for branch in branches {
        for (stage, steps) in branch.into_iter().enumerate() {
            stages[stage].extend(steps);
        }
    }
    stages
}
