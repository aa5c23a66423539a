//! What a failed statement means for those who wait for it. Separate and total, because confusing an outage with bad
//! data would either give up too early or never.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use backstitch_event_store::{AppendError, ReadError};

/// SQLSTATE of `store.append` when an event id is stored already.
const KNOWN_ID: &str = "BS003";

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Some event is stored already: find out which.
    KnownId,
    /// Some append carries data that the database refuses: try them apart.
    Data,
    /// It may go better in a moment: a deadlock, a lost connection, a server that restarts. Trying again is safe even
    /// where the first try was committed, since each event is stored once.
    Passing,
    /// It will not go better by itself.
    Lasting,
}

pub(crate) fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(refusal) => match refusal.code().as_deref() {
            Some(KNOWN_ID) => Verdict::KnownId,
            Some(code) => of_sqlstate(code),
            None => Verdict::Lasting,
        },
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Verdict::Passing
        }
        sqlx::Error::Encode(_) => Verdict::Data,
        _ => Verdict::Lasting,
    }
}

fn of_sqlstate(code: &str) -> Verdict {
    match code.get(..2) {
        Some("22" | "23") => Verdict::Data,
        // Rolled back by the server, connections, resources, the operator; locks that were not to be had.
        Some("08" | "40" | "53" | "55" | "57") => Verdict::Passing,
        _ => Verdict::Lasting,
    }
}

/// One failure, told to all who waited for the statement.
#[derive(Debug, Clone)]
pub(crate) struct Shared(pub(crate) Arc<sqlx::Error>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

pub(crate) fn append_error(error: Arc<sqlx::Error>) -> AppendError {
    AppendError::Store { source: Box::new(Shared(error)) }
}

pub(crate) fn read_error(source: sqlx::Error) -> ReadError {
    ReadError { source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_data_is_set_apart_and_an_outage_is_waited_for() {
        assert_eq!(of_sqlstate("22P05"), Verdict::Data);
        assert_eq!(of_sqlstate("40P01"), Verdict::Passing);
        assert_eq!(of_sqlstate("57P01"), Verdict::Passing);
        assert_eq!(of_sqlstate("42P01"), Verdict::Lasting);
        assert_eq!(verdict(&sqlx::Error::PoolTimedOut), Verdict::Passing);
    }
}
