//! Places in the global order, and pieces of it. Separate from the store's trait, because checkpoints and subscriptions
//! speak of them, too.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::StoredEvent;

/// A place in the global order. The default is the beginning.
///
/// Positions alone would not do: a transaction that took a low position may commit after one that took a higher one.
/// Ordered by transaction first, and read only below the oldest running one, nothing ever appears behind a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Where the append that wrote the event stands among all appends; grows along every stream.
    pub transaction: u64,
    /// The event's position.
    pub position: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.transaction, self.position)
    }
}

/// A piece of the global order.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In order.
    pub events: Vec<StoredEvent>,
    /// Where to go on: the last event's cursor, or the one asked with.
    pub next: Cursor,
}

impl Page {
    /// The page of `events`, read after `after`.
    #[must_use]
    pub fn of(events: Vec<StoredEvent>, after: Cursor) -> Self {
        let next = events.last().map_or(after, |event| event.cursor);
        Self { events, next }
    }
}

/// How far a reader is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lag {
    /// Positions between the reader and the end of the store: at most so many of the events it selects are unread.
    /// 0 when none is.
    pub events: u64,
    /// When the oldest unread event happened; `None` when there is none.
    pub oldest_unread_at: Option<DateTime<Utc>>,
}

impl Lag {
    /// Seconds since the oldest unread event happened; 0 when there is none, or when its clock was ahead of `now`.
    #[must_use]
    pub fn seconds(&self, now: DateTime<Utc>) -> f64 {
        let since = self.oldest_unread_at.and_then(|at| (now - at).to_std().ok());
        since.map_or(0.0, |since| since.as_secs_f64())
    }
}
