//! An atomic append over several streams: the request, its answer, its refusals. Separate from the store's trait,
//! because every store checks a request the same way.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{Cursor, ExpectedVersion, NewEvent, StoredEvent, StreamId, StreamVersion};

/// Events that one append may hold: what one statement carries and one transaction locks is bounded.
pub const EVENTS_MAX: usize = 10_000;
/// Streams that one append may name.
pub const STREAMS_MAX: usize = 1_000;

/// Events for one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamId,
    /// Where the writer takes it to be.
    pub expected: ExpectedVersion,
    /// What it appends, in order.
    pub events: Vec<NewEvent>,
}

/// A stream the decision rests on, without being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRead {
    /// The stream.
    pub stream: StreamId,
    /// Where it was when it was read.
    pub version: StreamVersion,
}

/// All or nothing: events for some streams, provided that others have not moved either.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AppendRequest {
    /// Streams to write.
    pub writes: Vec<StreamWrite>,
    /// Streams that must stand still.
    pub reads: Vec<StreamRead>,
}

impl AppendRequest {
    /// A request for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `events` to `stream`.
    #[must_use]
    pub fn write(mut self, stream: StreamId, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        self.writes.push(StreamWrite { stream, expected, events });
        self
    }

    /// Fails unless `stream` is still at `version`.
    #[must_use]
    pub fn read(mut self, stream: StreamId, version: StreamVersion) -> Self {
        self.reads.push(StreamRead { stream, version });
        self
    }

    /// Checks the request by itself: each stream and each event once, and within the limits.
    ///
    /// # Errors
    /// [`AppendError::Repeated`], [`AppendError::DuplicateEvent`] or [`AppendError::TooLarge`].
    pub fn validate(&self) -> Result<(), AppendError> {
        let (events, streams) = (self.events().count(), self.writes.len() + self.reads.len());
        if events > EVENTS_MAX || streams > STREAMS_MAX {
            return Err(AppendError::TooLarge { events, streams });
        }
        let mut seen = BTreeSet::new();
        if let Some((stream, _)) = self.claims().find(|(stream, _)| !seen.insert(*stream)) {
            return Err(AppendError::Repeated { stream: stream.clone() });
        }
        let mut ids = BTreeSet::new();
        match self.events().find(|event| !ids.insert(event.event_id)) {
            Some(event) => Err(AppendError::DuplicateEvent { event_id: event.event_id }),
            None => Ok(()),
        }
    }

    /// Checks the request against the heads of the streams that it names; a head that is missing is at version 0.
    ///
    /// # Errors
    /// [`AppendError::Conflict`].
    pub fn check(&self, heads: &BTreeMap<StreamId, StreamVersion>) -> Result<(), AppendError> {
        for (stream, expected) in self.claims() {
            let actual = heads.get(stream).copied().unwrap_or_default();
            if !expected.allows(actual) {
                return Err(AppendError::Conflict { stream: stream.clone(), expected, actual });
            }
        }
        Ok(())
    }

    /// What a store answers that has some of the events already: `stored` are those of this request's ids that it has.
    /// `None`: it has none, and the append is new.
    ///
    /// # Errors
    /// [`AppendError::DuplicateEvent`] when it is not the same append: some events are missing, or stand elsewhere.
    pub fn repeated(&self, stored: &[StoredEvent]) -> Result<Option<Appended>, AppendError> {
        let places: BTreeMap<Uuid, &StoredEvent> = stored.iter().map(|event| (event.event.event_id, event)).collect();
        let Some(known) = self.events().find(|event| places.contains_key(&event.event_id)) else { return Ok(None) };
        let elsewhere = || AppendError::DuplicateEvent { event_id: known.event_id };
        let mut appended = Appended::default();
        for write in &self.writes {
            let mut last: Option<&StoredEvent> = None;
            for event in &write.events {
                let place = *places.get(&event.event_id).ok_or_else(elsewhere)?;
                let follows = last.is_none_or(|last| place.version == last.version.after(1));
                if place.stream != write.stream || !follows {
                    return Err(elsewhere());
                }
                last = Some(place);
            }
            if let Some(last) = last {
                appended.heads.insert(write.stream.clone(), last.version);
                appended.cursor = appended.cursor.max(last.cursor);
            }
        }
        Ok(Some(appended))
    }

    /// The events, stream by stream.
    pub fn events(&self) -> impl Iterator<Item = &NewEvent> {
        self.writes.iter().flat_map(|write| &write.events)
    }

    /// Every stream named, and where it has to be.
    pub fn claims(&self) -> impl Iterator<Item = (&StreamId, ExpectedVersion)> {
        let written = self.writes.iter().map(|write| (&write.stream, write.expected));
        written.chain(self.reads.iter().map(|read| (&read.stream, ExpectedVersion::Exact(read.version))))
    }

    /// Every stream named, in the one order in which locks may be taken.
    #[must_use]
    pub fn streams(&self) -> BTreeSet<StreamId> {
        self.claims().map(|(stream, _)| stream.clone()).collect()
    }
}

/// What an append left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// The new versions of the streams written.
    pub heads: BTreeMap<StreamId, StreamVersion>,
    /// The place of its last event in the global order: a reader that has come here has seen the whole append. The
    /// beginning when no event was appended.
    pub cursor: Cursor,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer was faster: read again, decide again.
    #[error("stream `{stream}` is at version {actual}, not at {expected}")]
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// Where the writer took it to be.
        expected: ExpectedVersion,
        /// Where it is.
        actual: StreamVersion,
    },
    /// The request contradicts itself.
    #[error("stream `{stream}` is named twice in one append")]
    Repeated {
        /// Which stream.
        stream: StreamId,
    },
    /// An event of that id is stored already, by another append than this one.
    #[error("event `{event_id}` is stored already, by another append")]
    DuplicateEvent {
        /// Which event.
        event_id: Uuid,
    },
    /// More than one append may hold.
    #[error("{events} events in {streams} streams are too many for one append: at most {EVENTS_MAX} in {STREAMS_MAX}")]
    TooLarge {
        /// How many events there are.
        events: usize,
        /// How many streams it names.
        streams: usize,
    },
    /// The store failed; whether it appended may be unknown. The same append again is safe.
    #[error("could not append to the event store")]
    Store {
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
