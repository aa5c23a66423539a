//! What a failed transaction means for the lane. One total match, because confusing an outage with bad data would
//! either lose messages or block a partition for ever.

use backstitch_messaging::{InboxError, PublishError};

use crate::statement::{CONFLICT, FENCED};

/// What a lane does next after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another owner has claimed the lane: drop it, or claim it again.
    Fenced,
    /// A stream was not where it was thought to be: read everything and decide again.
    Conflict,
    /// The database refuses the data: find the message and set it aside.
    Data,
    /// Something is down: pause, back off, go on.
    Outage,
    /// The installation is wrong; waiting does not help.
    Broken,
}

/// Why a lane's batch was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("the lane's transaction failed")]
    Database(#[from] sqlx::Error),
    #[error("the broker cannot be read")]
    Inbox(#[from] InboxError),
    #[error("the broker cannot be written")]
    Publish(#[from] PublishError),
    #[error("the lane's transaction did not end in time")]
    DatabaseSilent,
    #[error("the logic panicked while it loaded: {words}")]
    Panicked { words: String },
    #[error("the feed of the lane ended")]
    FeedEnded,
    #[error("the schema registry is unavailable: {reason}")]
    Registry { reason: String },
    #[error("a row kept changing under the lane: {last}")]
    Contended { last: String, duplicate: bool },
}

impl LaneError {
    /// Whether a unique key was violated.
    pub(crate) fn is_duplicate(&self) -> bool {
        let Self::Database(sqlx::Error::Database(refusal)) = self else { return false };
        refusal.code().as_deref() == Some("23505")
    }

    /// The innermost words.
    pub(crate) fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), ToString::to_string)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Database(error) => database_verdict(error),
            Self::Publish(PublishError::Fatal { .. }) => Verdict::Broken,
            // Read thoroughly and still not unique: it is the data, not a race.
            Self::Contended { duplicate: true, .. } | Self::Panicked { .. } => Verdict::Data,
            Self::Publish(PublishError::Refused { .. })
            | Self::Inbox(_)
            | Self::FeedEnded
            | Self::DatabaseSilent
            | Self::Registry { .. }
            | Self::Contended { .. } => Verdict::Outage,
        }
    }
}

pub(crate) fn database_verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            match code.as_ref() {
                FENCED => Verdict::Fenced,
                // A unique violation means that something was taken to be new and is not.
                CONFLICT | "23505" => Verdict::Conflict,
                code if code.starts_with("40") => Verdict::Conflict,
                // 54: too large for an index or a row, which it will be again.
                code if ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)) => Verdict::Data,
                code if code.starts_with("42") || code.starts_with("3F") => Verdict::Broken,
                _ => Verdict::Outage,
            }
        }
        sqlx::Error::Encode(_) => Verdict::Data,
        sqlx::Error::Configuration(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::Decode(_) => Verdict::Broken,
        _ => Verdict::Outage,
    }
}
