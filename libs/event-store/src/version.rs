//! Versions of streams and what a writer may expect of them. Separate, because both appends and reads speak of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many events a stream has; its events are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamVersion(pub u64);

impl StreamVersion {
    /// No such stream, or one without events: there is no difference.
    pub const NONE: Self = Self(0);

    /// The version after `count` more events.
    #[must_use]
    pub fn after(self, count: usize) -> Self {
        Self(self.0.saturating_add(count as u64))
    }

    /// As databases keep it.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From a database's column; a negative number is no version and reads as none.
    #[must_use]
    pub fn from_i64(version: i64) -> Self {
        Self(u64::try_from(version).unwrap_or(0))
    }
}

impl fmt::Display for StreamVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a writer takes a stream's version to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever it is.
    Any,
    /// It has no events yet.
    NoStream,
    /// Exactly this.
    Exact(StreamVersion),
}

impl ExpectedVersion {
    /// Whether a stream at `actual` is as expected.
    #[must_use]
    pub fn allows(self, actual: StreamVersion) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == StreamVersion::NONE,
            Self::Exact(version) => actual == version,
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}
