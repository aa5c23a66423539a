//! What is read: which events of the global order, which piece of a stream. Separate, because stores answer exactly
//! these, each from an index, and nothing else.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{StoredEvent, StreamVersion};

/// Which events of the global order a reader wants. Each kind is answered from an index of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All.
    #[default]
    All,
    /// Those of these types.
    Types(BTreeSet<String>),
    /// Those in streams of these categories (`order` of `order-6f1c…`).
    Categories(BTreeSet<String>),
    /// Those of one flow.
    Correlation(Uuid),
}

impl Selection {
    /// Events of these types.
    #[must_use]
    pub fn types<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Self {
        Self::Types(types.into_iter().map(Into::into).collect())
    }

    /// Events in streams of these categories.
    #[must_use]
    pub fn categories<T: Into<String>>(categories: impl IntoIterator<Item = T>) -> Self {
        Self::Categories(categories.into_iter().map(Into::into).collect())
    }

    /// Whether the event is selected.
    #[must_use]
    pub fn wants(&self, event: &StoredEvent) -> bool {
        match self {
            Self::All => true,
            Self::Types(types) => types.contains(&event.event.event_type),
            Self::Categories(categories) => categories.contains(event.stream.category()),
            Self::Correlation(flow) => event.event.correlation_id == *flow,
        }
    }
}

/// Which piece of a stream is read, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// Forwards, from the event after this version.
    After(StreamVersion),
    /// Backwards, from the event before this version.
    Before(StreamVersion),
    /// Backwards from the newest event.
    Newest,
}

impl Slice {
    /// From the first event on.
    pub const BEGINNING: Self = Self::After(StreamVersion::NONE);

    /// The slice that goes on where `page` ended.
    #[must_use]
    pub fn following(self, page: &[StoredEvent]) -> Self {
        match (self, page.last()) {
            (_, None) => self,
            (Self::After(_), Some(last)) => Self::After(last.version),
            (Self::Before(_) | Self::Newest, Some(last)) => Self::Before(last.version),
        }
    }
}
