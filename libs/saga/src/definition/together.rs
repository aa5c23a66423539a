//! Definitions that start each other's sagas, checked together.
//!
//! Separate because no definition can tell alone: whether the other one is there, whether it can be rolled back at all,
//! and whether they start each other for ever.

use std::collections::BTreeMap;

use super::Definition;
use super::problem::Problem;

/// A saga that a step starts, and where it says so.
#[derive(Clone, Debug)]
pub(super) struct SubSagaUse {
    pub(super) path: String,
    pub(super) definition: String,
    pub(super) rolls_back: bool,
}

/// Everything that is wrong with definitions that are to run together: for each, its place in the list and the
/// problem.
pub fn check_together(definitions: &[Definition]) -> Vec<(usize, Problem)> {
    let mut newest: BTreeMap<&str, &Definition> = BTreeMap::new();
    for definition in definitions {
        let known = newest.entry(definition.name()).or_insert(definition);
        if known.version() < definition.version() {
            *known = definition;
        }
    }
    let mut problems = Vec::new();
    for (place, definition) in definitions.iter().enumerate() {
        let found = definition.sub_sagas.iter().filter_map(|sub_saga| problem(definition, sub_saga, &newest));
        problems.extend(found.map(|problem| (place, problem)));
    }
    problems
}

fn problem(of: &Definition, sub_saga: &SubSagaUse, newest: &BTreeMap<&str, &Definition>) -> Option<Problem> {
    let name = sub_saga.definition.as_str();
    let path = format!("{}.sub_saga.start", sub_saga.path);
    let Some(started) = newest.get(name) else {
        let known = newest.keys().map(|name| (*name).to_owned()).collect();
        return Some(Problem::new(path, format!("no definition is called `{name}`")).word(name, known));
    };
    if name == of.name() || starts(started, of.name(), newest, &mut vec![name]) {
        return Some(Problem::new(path, format!("`{name}` would start `{}` again, and so for ever", of.name())));
    }
    let has_pivot = started.steps.iter().any(|step| started.is_pivot(&step.name));
    (sub_saga.rolls_back && has_pivot).then(|| {
        let message = format!("`{name}` has a pivot and cannot be rolled back once it has completed: say `nothing`");
        Problem::new(format!("{}.on_rollback", sub_saga.path), message)
    })
}

/// Whether sagas of `definition` start sagas called `name`, themselves or by others.
fn starts<'d>(
    definition: &'d Definition,
    name: &str,
    newest: &BTreeMap<&str, &'d Definition>,
    seen: &mut Vec<&'d str>,
) -> bool {
    definition.sub_sagas.iter().any(|sub_saga| {
        let next = sub_saga.definition.as_str();
        if next == name {
            return true;
        }
        if seen.contains(&next) {
            return false;
        }
        seen.push(next);
        newest.get(next).is_some_and(|definition| starts(definition, name, newest, seen))
    })
}
