//! What is wrong with a setting, and the way out. Values are never repeated here: one of them may be a secret.

use std::fmt;

use figment::error::{Actual, Error, Kind};

use super::Environment;

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as in the file: `kafka.bootstrap`.
    pub path: String,
    /// What is wrong and what to do instead.
    pub what: String,
}

impl Problem {
    /// A problem of the setting at `path`.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// Everything wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [_] => write!(f, "the settings have a problem")?,
            many => write!(f, "the settings have {} problems", many.len())?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Figment's error at `path` in our words, without the value it complains of.
pub(super) fn describe(kind: &Kind, path: &str, environment: &Environment) -> String {
    let variable = Environment::variable(path);
    let set_by = if environment.sets(path) { format!(" (it comes from {variable})") } else { String::new() };
    match kind {
        Kind::MissingField(_) => format!("is missing; set `{path}` in the file or {variable} in the environment"),
        Kind::UnknownField(_, expected) => format!("there is no such setting{set_by}; there are {}", list(expected)),
        Kind::UnknownVariant(word, expected) => format!("`{word}` is none of {}{set_by}", list(expected)),
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("is {} and should be {expected}{set_by}{}", name(actual), hint(actual, expected))
        }
        Kind::InvalidLength(length, expected) => format!("has {length} elements and should have {expected}{set_by}"),
        Kind::DuplicateField(_) => format!("is given twice{set_by}"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => format!("is out of range{set_by}"),
        Kind::Unsupported(actual) | Kind::UnsupportedKey(actual, _) => {
            format!("is {}, which has no meaning here{set_by}", name(actual))
        }
        Kind::Message(message) => format!("{message}{set_by}"),
    }
}

/// A parser's error without the excerpt it draws: the line may hold a secret.
pub(super) fn without_source(error: &Error) -> String {
    let text = error.kind.to_string();
    text.lines()
        .filter(|line| !line.contains('|') && !line.trim().is_empty())
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(": ")
}

fn list(words: &[&str]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn hint(actual: &Actual, expected: &str) -> &'static str {
    let bare = matches!(actual, Actual::Bool(_) | Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_));
    if bare && expected.contains("string") { "; put it in quotes" } else { "" }
}

fn name(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a text",
        Actual::Unit | Actual::Option => "nothing",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}
