//! Finding every problem and not only the first. Separate from reading, because serde stops at the first error: here
//! each error is noted, the place is mended with something that fits, and the reading goes on.

use figment::Figment;
use figment::error::{Error, Kind};
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::Environment;
use super::problem::{Problem, describe};

/// More than any settings could have; a bound, should mending ever go round in circles.
const ROUNDS_MAX: usize = 500;

/// The settings, or all that is wrong with them.
pub(super) fn extract<C: DeserializeOwned>(dict: Dict, environment: &Environment) -> Result<C, Vec<Problem>> {
    let mut patient = Patient { value: Value::from(dict), problems: Vec::new(), trial: None };
    for _ in 0..ROUNDS_MAX {
        match read::<C>(&patient.value) {
            Ok(settings) if patient.problems.is_empty() => return Ok(settings),
            Ok(_) => break,
            Err(error) => {
                if !patient.mend(&error, environment) {
                    break;
                }
            }
        }
    }
    Err(patient.told())
}

fn read<C: DeserializeOwned>(value: &Value) -> Result<C, Box<Error>> {
    let dict = value.as_dict().cloned().unwrap_or_default();
    Figment::from(Serialized::globals(dict)).extract_lossy().map_err(Box::new)
}

struct Patient {
    value: Value,
    problems: Vec<Problem>,
    /// Where something was put in place of what is missing or wrong, and what to try there next.
    trial: Option<(Vec<String>, usize)>,
}

impl Patient {
    /// Notes the error and mends its place; `false` if that is beyond us.
    fn mend(&mut self, error: &Error, environment: &Environment) -> bool {
        let mut path = error.path.clone();
        match &error.kind {
            Kind::MissingField(field) => path.push(field.to_string()),
            Kind::UnknownField(field, _) if path.last() != Some(field) => path.push(field.clone()),
            _ => {}
        }
        let next = match &self.trial {
            Some((tried, next)) if *tried == path => Some(*next),
            _ => None,
        };
        if next.is_none() {
            let name = path.join(".");
            self.problems.push(Problem::new(name.clone(), describe(&error.kind, &name, environment)));
        }
        match &error.kind {
            Kind::UnknownField(_, _) => remove(&mut self.value, &path),
            Kind::UnknownVariant(_, [first, ..]) => replace(&mut self.value, &path, Value::from(*first)),
            _ => self.try_next(path, next.unwrap_or(0)),
        }
    }

    fn try_next(&mut self, path: Vec<String>, index: usize) -> bool {
        let Some(candidate) = candidates().into_iter().nth(index) else { return false };
        let put = replace(&mut self.value, &path, candidate);
        self.trial = Some((path, index + 1));
        put
    }

    /// A missing section is told by what is missing in it.
    fn told(self) -> Vec<Problem> {
        let inner = |path: &str| self.problems.iter().any(|other| other.path.starts_with(&format!("{path}.")));
        self.problems.iter().filter(|problem| !inner(&problem.path)).cloned().collect()
    }
}

/// Something for every kind of field, sections first.
fn candidates() -> Vec<Value> {
    vec![
        Value::from(Dict::new()),
        Value::from("placeholder"),
        Value::from(1_u8),
        Value::from(true),
        Value::from(Vec::<Value>::new()),
        Value::from("127.0.0.1:1"),
    ]
}

fn replace(value: &mut Value, path: &[String], new: Value) -> bool {
    match (path, value) {
        ([], place) => {
            *place = new;
            true
        }
        ([last], Value::Dict(_, dict)) => {
            dict.insert(last.clone(), new);
            true
        }
        ([first, rest @ ..], Value::Dict(_, dict)) => {
            dict.get_mut(first).is_some_and(|inner| replace(inner, rest, new))
        }
        ([first, rest @ ..], Value::Array(_, list)) => first
            .parse()
            .ok()
            .and_then(|index: usize| list.get_mut(index))
            .is_some_and(|inner| replace(inner, rest, new)),
        _ => false,
    }
}

fn remove(value: &mut Value, path: &[String]) -> bool {
    match (path, value) {
        ([last], Value::Dict(_, dict)) => dict.remove(last).is_some(),
        ([first, rest @ ..], Value::Dict(_, dict)) => dict.get_mut(first).is_some_and(|inner| remove(inner, rest)),
        ([first, rest @ ..], Value::Array(_, list)) => {
            first.parse().ok().and_then(|index: usize| list.get_mut(index)).is_some_and(|inner| remove(inner, rest))
        }
        _ => false,
    }
}
