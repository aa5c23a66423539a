//! What is read: which events of the global order, which piece of a stream. Separate, because stores answer exactly
//! these, each from an index, and nothing else.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use uuid::Uuid;

use crate::{StoredEvent, StreamId, StreamVersion};

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
    /// Those in a share of the streams of some categories.
    Share(Share),
    /// Those of one flow.
    Correlation(Uuid),
}

/// One of so many shares of the streams of some categories: whole streams, each in one share and always in the same, so
/// that several readers share the order out among them and see every stream in its order. Which one a stream is in is
/// the store's own affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The categories.
    pub categories: BTreeSet<String>,
    /// Which share, from 0.
    pub nth: u32,
    /// Of how many.
    pub of: NonZeroU32,
}

impl Share {
    fn has(&self, stream: &StreamId) -> bool {
        // FNV-1a: short, and the same in every release.
        let hash = stream
            .as_str()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        self.categories.contains(stream.category()) && hash % self.of == self.nth
    }
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

    /// How many of so many events it can be expected to select, its categories being all there are.
    #[must_use]
    pub fn share_of(&self, events: u64) -> u64 {
        match self {
            Self::Share(share) => events.div_ceil(share.of.get().into()),
            Self::All | Self::Types(_) | Self::Categories(_) | Self::Correlation(_) => events,
        }
    }

    /// Whether the event is selected.
    #[must_use]
    pub fn wants(&self, event: &StoredEvent) -> bool {
        match self {
            Self::All => true,
            Self::Types(types) => types.contains(&event.event.event_type),
            Self::Categories(categories) => categories.contains(event.stream.category()),
            Self::Share(share) => share.has(&event.stream),
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
