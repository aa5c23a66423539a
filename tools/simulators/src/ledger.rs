//! The facts kept: in memory, and in a file if one was named. The only place that writes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::entry::Entry;
use crate::state::State;

/// Why the file of facts could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be opened or read.
    #[error("could not read the data file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line in it is no fact.
    #[error("line {line} of the data file `{}` is not a fact", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error("could not append to the data file")]
    Write {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// State, the file behind it, and how often each key was asked for.
#[derive(Debug, Default)]
pub struct Ledger {
    state: State,
    file: Option<File>,
    /// Not kept across restarts: a script that fails "the first two requests" starts anew.
    asked: HashMap<String, u32>,
    held: u64,
}

impl Ledger {
    /// Facts in memory only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Facts read from, and appended to, a file.
    ///
    /// # Errors
    /// [`LedgerError`] if it cannot be opened, or holds a line that is no fact.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let read = |source| LedgerError::Read { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(read(source)),
        };
        let mut state = State::default();
        // What follows the last newline was cut off by a crash: it was never answered, so it never happened.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (index, line) in text[..whole].lines().enumerate() {
            let entry = serde_json::from_str(line).map_err(|source| LedgerError::Line {
                path: path.to_owned(),
                line: index + 1,
                source,
            })?;
            state.apply(&entry);
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(read)?;
        file.set_len(whole as u64).map_err(read)?;
        Ok(Self { state, file: Some(file), ..Self::default() })
    }

    /// What the facts add up to.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Records a fact: in the file first, so that nothing is answered that a restart would not know.
    ///
    /// # Errors
    /// [`LedgerError::Write`], and then nothing is recorded.
    pub fn record(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(entry).map_err(|source| LedgerError::Write { source: source.into() })?;
            line.push(b'\n');
            file.write_all(&line).map_err(|source| LedgerError::Write { source })?;
        }
        self.state.apply(entry);
        Ok(())
    }

    /// Counts a request of this key: 1 for the first.
    pub fn ask(&mut self, key: &str) -> u32 {
        let count = self.asked.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// How many connections are held without an answer right now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// One more connection is held.
    pub fn hold(&mut self) {
        self.held += 1;
    }

    /// One less connection is held.
    pub fn let_go(&mut self) {
        self.held = self.held.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ChargeOutcome;

    fn charged(key: &str, amount: i64) -> Entry {
        Entry::Charged { key: key.to_owned(), order_id: "o-1".to_owned(), amount, currency: "EUR".to_owned() }
    }

    #[test]
    fn sums_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.jsonl");
        let mut before = Ledger::open(&path).unwrap();
        before.record(&charged("k-1", 1_000)).unwrap();
        before.record(&charged("k-2", 500)).unwrap();
        before.record(&Entry::Refunded { key: "k-1".to_owned() }).unwrap();

        let after = Ledger::open(&path).unwrap();

        assert_eq!(after.state().totals(), before.state().totals());
        assert_eq!(after.state().totals().charged.amounts["EUR"], 1_500);
        assert_eq!(after.state().totals().refunded.amounts["EUR"], 1_000);
        assert_eq!(after.state().charge("k-1").map(|charge| charge.outcome), Some(ChargeOutcome::Refunded));
    }

    #[test]
    fn a_fact_cut_off_by_a_crash_never_happened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.record(&charged("k-1", 1_000)).unwrap();
        drop(ledger);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"entry":"charged","key":"k-2","or"#).unwrap();

        let mut after = Ledger::open(&path).unwrap();
        after.record(&charged("k-3", 1)).unwrap();

        let again = Ledger::open(&path).unwrap();
        assert_eq!(again.state().totals().charged.count, 2);
        assert!(again.state().charge("k-2").is_none());
    }

    #[test]
    fn a_file_of_something_else_is_refused_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.jsonl");
        std::fs::write(&path, "{\"entry\":\"refunded\",\"key\":\"k\"}\nhello\n").unwrap();

        let refused = Ledger::open(&path).unwrap_err();

        assert!(matches!(refused, LedgerError::Line { line: 2, .. }), "{refused}");
    }
}
