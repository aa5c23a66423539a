//! In which order steps run, and in which they are undone.
//!
//! Separate because both orders follow from the flow, the steps passed, the branches chosen and the lists' items alone:
//! no saga stores its position.

use std::collections::BTreeSet;

use super::Definition;
use super::plan::{ForEach, Node, Step};
use crate::ids::StepName;
use crate::state::Saga;

/// A step that may run now, under the name of the item it runs for.
pub(crate) struct Next<'d> {
    pub(crate) step: &'d Step,
    pub(crate) name: StepName,
}

impl Definition {
    /// The steps that come next: everything that may run now, given how far the saga has come. Empty at the end.
    pub(crate) fn frontier(&self, saga: &Saga) -> Vec<Next<'_>> {
        let passed = saga.passed.iter().map(|passed| &passed.step).collect();
        let mut walk = Walk { definition: self, saga, passed, next: Vec::new() };
        walk.sequence(&self.flow, None);
        walk.next
    }

    /// The stages of a rollback. `possible` are the steps that were done or may have been, the newest last; each
    /// stage's steps are undone together, one stage after the other.
    pub(crate) fn rollback_stages(&self, possible: &[StepName]) -> Vec<Vec<StepName>> {
        self.undo(&self.flow, None, possible)
    }

    fn undo(&self, nodes: &[Node], item: Option<u32>, possible: &[StepName]) -> Vec<Vec<StepName>> {
        nodes.iter().rev().flat_map(|node| self.undo_node(node, item, possible)).collect()
    }

    fn undo_node(&self, node: &Node, item: Option<u32>, possible: &[StepName]) -> Vec<Vec<StepName>> {
        let newest_first = |possible: &mut dyn Iterator<Item = &StepName>| {
            let names = self.names(std::slice::from_ref(node));
            let inside = possible.filter(|name| names.contains(name.base()));
            inside.map(|name| vec![name.clone()]).collect()
        };
        match node {
            Node::Step(index) => {
                let name = self.name_at(*index, item);
                if possible.contains(&name) { vec![vec![name]] } else { Vec::new() }
            }
            // Only one branch has anything to undo.
            Node::Choice { branches, otherwise, .. } => {
                let branches = branches.iter().chain(std::iter::once(otherwise));
                branches.flat_map(|branch| self.undo(branch, item, possible)).collect()
            }
            Node::Group { branches, together: true } => {
                zip_stages(branches.iter().map(|branch| self.undo(branch, item, possible)).collect())
            }
            Node::Group { together: false, .. } => newest_first(
                &mut possible.iter().rev().filter(|name| item.is_none_or(|item| name.item() == Some(item))),
            ),
            Node::ForEach { together: false, .. } => newest_first(&mut possible.iter().rev()),
            Node::ForEach { step, body, together: true } => self.undo_items(*step, body, possible),
        }
    }

    /// The newest items first, as many together as were done at once.
    fn undo_items(&self, step: usize, body: &[Node], possible: &[StepName]) -> Vec<Vec<StepName>> {
        let names = self.names(body);
        let touched = possible.iter().filter(|name| names.contains(name.base())).filter_map(StepName::item);
        let items: BTreeSet<u32> = touched.collect();
        let newest_first: Vec<u32> = items.into_iter().rev().collect();
        let at_once = self.list(step).map_or(1, |each| each.at_once);
        let undo =
            |items: &[u32]| zip_stages(items.iter().map(|item| self.undo(body, Some(*item), possible)).collect());
        newest_first.chunks(at_once.max(1)).flat_map(undo).collect()
    }

    fn name_at(&self, index: usize, item: Option<u32>) -> StepName {
        let name = &self.steps[index].name;
        item.map_or_else(|| name.clone(), |item| name.of_item(item))
    }

    fn list(&self, index: usize) -> Option<&ForEach> {
        self.steps[index].action.for_each()
    }

    /// Names of all steps in `nodes`, as written.
    fn names<'d>(&'d self, nodes: &[Node]) -> BTreeSet<&'d str> {
        let mut names = BTreeSet::new();
        for node in nodes {
            match node {
                Node::Step(index) => {
                    names.insert(self.steps[*index].name.as_str());
                }
                Node::Group { branches, .. } => branches.iter().for_each(|branch| names.extend(self.names(branch))),
                Node::Choice { branches, otherwise, .. } => {
                    branches.iter().for_each(|branch| names.extend(self.names(branch)));
                    names.extend(self.names(otherwise));
                }
                Node::ForEach { body, .. } => names.extend(self.names(body)),
            }
        }
        names
    }
}

/// A look at what comes next.
struct Walk<'d, 's> {
    definition: &'d Definition,
    saga: &'s Saga,
    passed: BTreeSet<&'s StepName>,
    next: Vec<Next<'d>>,
}

impl<'d> Walk<'d, '_> {
    /// Finds what comes next in `nodes`; true when all of them are behind.
    fn sequence(&mut self, nodes: &'d [Node], item: Option<u32>) -> bool {
        nodes.iter().all(|node| self.node(node, item))
    }

    fn node(&mut self, node: &'d Node, item: Option<u32>) -> bool {
        match node {
            Node::Step(index) => self.step(*index, item),
            // No short-circuit: every branch has its own next step.
            Node::Group { branches, .. } => {
                let unfinished = branches.iter().filter(|branch| !self.sequence(branch, item)).count();
                unfinished == 0
            }
            Node::Choice { step, branches, otherwise } => {
                match self.saga.chosen.get(&self.definition.name_at(*step, item)) {
                    None => self.step(*step, item),
                    Some(None) => self.sequence(otherwise, item),
                    Some(Some(branch)) => place(*branch, branches).is_none_or(|branch| self.sequence(branch, item)),
                }
            }
            Node::ForEach { step, body, .. } => match self.saga.items.get(&self.definition.name_at(*step, item)) {
                None => self.step(*step, item),
                Some(items) => self.items(*step, body, items.len()),
            },
        }
    }

    fn step(&mut self, index: usize, item: Option<u32>) -> bool {
        let name = self.definition.name_at(index, item);
        let is_passed = self.passed.contains(&name);
        if !is_passed {
            self.next.push(Next { step: &self.definition.steps[index], name });
        }
        is_passed
    }

    /// The first unfinished items go on, as many as may be under way at once.
    fn items(&mut self, step: usize, body: &'d [Node], count: usize) -> bool {
        let mut free = self.definition.list(step).map_or(1, |each| each.at_once);
        for item in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            if !self.sequence(body, Some(item)) {
                free = free.saturating_sub(1);
                if free == 0 {
                    return false;
                }
            }
        }
        self.definition.list(step).is_none_or(|each| free == each.at_once)
    }
}

fn place(index: u32, branches: &[Vec<Node>]) -> Option<&Vec<Node>> {
    branches.get(usize::try_from(index).ok()?)
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
