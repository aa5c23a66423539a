//! What is wrong with a definition, everything at once.
//!
//! Separate because a document adds file, line and column to the same problems.

use std::fmt;

use super::code::Code;

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of fault it is.
    pub code: Code,
    /// Where, as in `steps[1].with.amount`.
    pub path: String,
    /// What, in words.
    pub message: String,
    /// The word that is wrong, if it is a word.
    pub wrong: Option<String>,
    /// The words that would have been right, if they are known.
    pub expected: Vec<String>,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Code::Rule, path, message)
    }

    pub(crate) fn of(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into(), wrong: None, expected: Vec::new() }
    }

    pub(crate) fn word(mut self, wrong: impl Into<String>, expected: Vec<String>) -> Self {
        self.wrong = Some(wrong.into());
        self.expected = expected;
        self
    }

    /// The words somebody may have meant, as a sentence to append; empty when nothing is known.
    pub fn advice(&self) -> String {
        let words = self.expected.iter().map(String::as_str);
        let meant = self.wrong.as_deref().and_then(|wrong| super::suggest::closest(wrong, words));
        match (meant, self.expected.is_empty()) {
            (Some(meant), _) => format!("; did you mean `{meant}`?"),
            (None, true) => String::new(),
            (None, false) => format!("; expected one of: {}", self.expected.join(", ")),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.path, self.message, self.advice())
    }
}

/// A definition that cannot be used, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    /// Everything that is wrong, in document order.
    pub problems: Vec<Problem>,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the definition cannot be used")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem} [{}]", problem.code))
    }
}

impl std::error::Error for DefinitionError {}
