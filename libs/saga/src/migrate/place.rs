//! How far a saga has come in another definition than its own.
//!
//! Separate because a definition's own walk only tells what comes next: here it is asked what the saga has come by.

use std::collections::BTreeSet;

use crate::definition::Definition;
use crate::definition::plan::Node;
use crate::ids::StepName;
use crate::state::Saga;

/// What a saga has come to.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Every step that it has passed by or stands at.
    pub(super) steps: BTreeSet<StepName>,
    /// Those of them that are not finished.
    pub(super) unfinished: BTreeSet<StepName>,
}

/// Walks with what the saga has passed, chosen and counted: nothing behind an unfinished step is reached.
pub(super) fn reached(definition: &Definition, saga: &Saga) -> Reached {
    let passed = saga.passed.iter().map(|passed| &passed.step).collect();
    let mut walk = Walk { definition, saga, passed, reached: Reached::default() };
    walk.sequence(definition.flow(), None);
    walk.reached
}

struct Walk<'a> {
    definition: &'a Definition,
    saga: &'a Saga,
    passed: BTreeSet<&'a StepName>,
    reached: Reached,
}

impl Walk<'_> {
    /// Whether all of it is finished.
    fn sequence(&mut self, nodes: &[Node], item: Option<u32>) -> bool {
        nodes.iter().all(|node| self.node(node, item))
    }

    fn node(&mut self, node: &Node, item: Option<u32>) -> bool {
        match node {
            Node::Step(index) => self.step(*index, item),
            // No short-circuit: each branch goes its own way.
            Node::Group { branches, .. } => branches.iter().filter(|branch| !self.sequence(branch, item)).count() == 0,
            Node::Choice { step, branches, otherwise } => {
                let chosen = self.saga.chosen.get(&self.name(*step, item)).copied();
                let finished = self.step_of_flow(*step, item, chosen.is_some());
                match chosen {
                    None => finished,
                    Some(None) => self.sequence(otherwise, item),
                    Some(Some(branch)) => {
                        let branch = usize::try_from(branch).ok().and_then(|branch| branches.get(branch));
                        branch.is_none_or(|branch| self.sequence(branch, item))
                    }
                }
            }
            Node::ForEach { step, body, .. } => {
                let items = self.saga.items.get(&self.name(*step, item)).map(Vec::len);
                let finished = self.step_of_flow(*step, item, items.is_some());
                let Some(items) = items.map(|items| u32::try_from(items).unwrap_or(u32::MAX)) else { return finished };
                (0..items).filter(|item| !self.sequence(body, Some(*item))).count() == 0
            }
        }
    }

    fn step(&mut self, index: usize, item: Option<u32>) -> bool {
        self.step_of_flow(index, item, false)
    }

    fn step_of_flow(&mut self, index: usize, item: Option<u32>, decided: bool) -> bool {
        let name = self.name(index, item);
        let finished = decided || self.passed.contains(&name);
        if !finished {
            self.reached.unfinished.insert(name.clone());
        }
        self.reached.steps.insert(name);
        finished
    }

    fn name(&self, index: usize, item: Option<u32>) -> StepName {
        let name = &self.definition.steps()[index].name;
        item.map_or_else(|| name.clone(), |item| name.of_item(item))
    }
}
