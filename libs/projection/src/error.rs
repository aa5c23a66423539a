//! Why a batch was not applied, and what follows. One total match, because confusing an outage with bad data would either
//! lose events or stop a partition for ever.

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database said no, or did not answer.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
    /// The fold panicked.
    #[error("the projection panicked: {words}")]
    Panicked {
        /// What it said.
        words: String,
    },
    /// Somebody else has moved the checkpoint.
    #[error("another owner has moved the checkpoint")]
    Fenced,
    /// The broker cannot be read.
    #[error("the broker cannot be read")]
    Inbox(#[from] backstitch_messaging::InboxError),
    /// The store cannot be read.
    #[error("the event store cannot be read")]
    Store(#[from] backstitch_event_store::ReadError),
    /// The registry does not answer.
    #[error("the schema registry is unavailable: {reason}")]
    Registry {
        /// What was seen.
        reason: String,
    },
    /// The reading ended by itself.
    #[error("the feed of the lane ended")]
    FeedEnded,
}

/// What a lane does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The data is at fault: find the event and set it aside.
    Isolate,
    /// Two lanes stood in each other's way: again, at once.
    Again,
    /// Something is down, or somebody else has the lane: pause, then read the checkpoint anew.
    Pause,
}

impl ApplyError {
    pub(crate) fn next(&self) -> Next {
        match self {
            Self::Database(error) => of_database(error),
            Self::Panicked { .. } => Next::Isolate,
            Self::Fenced | Self::Inbox(_) | Self::Store(_) | Self::Registry { .. } | Self::FeedEnded => Next::Pause,
        }
    }
}

fn of_database(error: &sqlx::Error) -> Next {
    match error {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            match code.as_ref() {
                code if code.starts_with("40") => Next::Again,
                // 54: too large for an index or a row, which it will be again.
                code if ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)) => Next::Isolate,
                _ => Next::Pause,
            }
        }
        sqlx::Error::Encode(_) => Next::Isolate,
        _ => Next::Pause,
    }
}

/// An error with its sources, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The words of a panic.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
