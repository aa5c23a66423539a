//! Which names an expression may use in its place, and the answer when it uses another.
//!
//! Separate because a wrong name must be found when a definition is loaded, not when the first saga reaches the step.

use std::collections::BTreeSet;

use super::inspect::{Path, References};
use crate::definition::suggest::closest;

/// What can be seen from one place in a definition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// `saga.id`, `saga.key`, `saga.data`.
    pub(crate) saga: bool,
    /// `saga.reason`: why the saga is rolled back.
    pub(crate) reason: bool,
    /// `event`.
    pub(crate) event: bool,
    /// Identifiers of the steps certainly passed before.
    pub(crate) steps: BTreeSet<String>,
    /// Identifiers of those among them whose result is a list, one for each item.
    pub(crate) lists: BTreeSet<String>,
    /// `item` and `index`: the item of the list that the step is done for.
    pub(crate) item: bool,
    /// The step the expression belongs to, if its own result must not be used.
    pub(crate) own: Option<String>,
}

/// A name that cannot be used in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeError {
    pub(crate) message: String,
    pub(crate) wrong: String,
    pub(crate) expected: Vec<String>,
}

const FUNCTIONS: [&str; 31] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "duration",
    "timestamp",
    "max",
    "min",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "has",
    "all",
    "exists",
    "map",
];

impl Scope {
    /// Everything in `references` that this place does not have.
    pub(crate) fn check(&self, references: &References) -> Vec<ScopeError> {
        let paths = references.paths.iter().filter_map(|path| self.path(path));
        let functions = references.functions.iter().filter_map(|name| function(name));
        paths.chain(functions).collect()
    }

    fn roots(&self) -> Vec<&'static str> {
        let allowed = [
            ("saga", self.saga),
            ("event", self.event),
            ("steps", self.saga),
            ("item", self.item),
            ("index", self.item),
        ];
        allowed.into_iter().filter_map(|(root, seen)| seen.then_some(root)).collect()
    }

    fn path(&self, path: &Path) -> Option<ScopeError> {
        let mut segments = path.segments.iter().map(String::as_str);
        let root = segments.next()?;
        if !self.roots().contains(&root) {
            return Some(error("unknown name", root, &self.roots()));
        }
        match (root, segments.next()) {
            ("saga", Some(field)) => self.saga_field(field),
            ("steps", Some(step)) => self.step(step).or_else(|| self.field_of_list(step, segments.next())),
            ("steps", None) => Some(ScopeError {
                message: "`steps` alone is no value: name the step, as in `steps.some_step.field`".to_owned(),
                wrong: "steps".to_owned(),
                expected: self.steps.iter().cloned().collect(),
            }),
            _ => None,
        }
    }

    fn saga_field(&self, field: &str) -> Option<ScopeError> {
        let mut fields = vec!["id", "key", "data"];
        if self.reason {
            fields.push("reason");
        }
        (!fields.contains(&field)).then(|| error("unknown field of `saga`", field, &fields))
    }

    fn field_of_list(&self, step: &str, field: Option<&str>) -> Option<ScopeError> {
        let field = field.filter(|_| self.lists.contains(step))?;
        Some(ScopeError {
            message: format!(
                "`steps.{step}` is a list, one for each item: say which, as in `steps.{step}[0].{field}`, or use `map`"
            ),
            wrong: field.to_owned(),
            expected: Vec::new(),
        })
    }

    fn step(&self, step: &str) -> Option<ScopeError> {
        if self.steps.contains(step) {
            return None;
        }
        if self.own.as_deref() == Some(step) {
            return Some(ScopeError {
                message: format!("`steps.{step}` may never come: a compensation cannot use its own step's result"),
                wrong: step.to_owned(),
                expected: self.steps.iter().cloned().collect(),
            });
        }
        let known: Vec<&str> = self.steps.iter().map(String::as_str).collect();
        Some(error("no step before this one is called", step, &known))
    }
}

fn function(name: &str) -> Option<ScopeError> {
    (!FUNCTIONS.contains(&name)).then(|| {
        let mut error = error("unknown function", name, &FUNCTIONS);
        error.expected = closest(name, FUNCTIONS).into_iter().map(str::to_owned).collect();
        error
    })
}

fn error(what: &str, wrong: &str, known: &[&str]) -> ScopeError {
    ScopeError {
        message: format!("{what} `{wrong}`"),
        wrong: wrong.to_owned(),
        expected: known.iter().map(|name| (*name).to_owned()).collect(),
    }
}
