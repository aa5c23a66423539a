//! Errors as Postgres has them. Separate, because the processor goes by their codes.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

/// What the model refuses, with the code that Postgres would give.
#[derive(Debug)]
struct Refused {
    code: &'static str,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.code))
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        if self.code == UNIQUE { ErrorKind::UniqueViolation } else { ErrorKind::Other }
    }
}

/// A unique key is taken.
pub(super) const UNIQUE: &str = "23505";
/// A statement took too long.
const CANCELED: &str = "57014";

pub(super) fn refused(code: &'static str, message: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Database(Box::new(Refused { code, message: message.into() }))
}

pub(super) fn canceled() -> sqlx::Error {
    refused(CANCELED, "canceling statement due to lock timeout")
}

/// The connection is gone; whether the server did what was asked is not known.
pub(super) fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}
