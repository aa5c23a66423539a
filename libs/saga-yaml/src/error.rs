//! What is wrong with a document, and where.
//!
//! Separate because these sentences are read by people who never saw the code.

use std::fmt;
use std::path::PathBuf;

use backstitch_saga::definition::Code;
use backstitch_saga::definition::suggest::closest;
use serde::Serialize;

/// Why documents could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file or folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Documents say things that cannot be; all of them are listed.
    #[error("{}", list(faults))]
    Faulty {
        /// Everything that is wrong.
        faults: Vec<Fault>,
    },
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What kind of fault it is; `docs/errors/` has a page for each.
    pub code: Code,
    /// The file.
    pub file: String,
    /// The line, from 1; 0 when unknown.
    pub line: u64,
    /// The column, from 1; 0 when unknown.
    pub column: u64,
    /// Where in the document, as in `steps[1].with.amount`.
    pub path: String,
    /// What is wrong, in words.
    pub message: String,
    /// The word that is wrong, if it is a word.
    pub wrong: Option<String>,
    /// The words that would have been right, if they are known.
    pub expected: Vec<String>,
}

impl Fault {
    /// The words somebody may have meant, as a sentence to append; empty when nothing is known.
    fn advice(&self) -> String {
        let words = self.expected.iter().map(String::as_str);
        match self.wrong.as_deref().and_then(|wrong| closest(wrong, words)) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if self.expected.is_empty() => String::new(),
            None => format!("; expected one of: {}", self.expected.join(", ")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}{} [{}]", self.message, self.advice(), self.code)
    }
}
