//! An atomic append over several streams: the request, its answer, its refusals. Separate from the store's trait,
//! because every store checks a request the same way.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ExpectedVersion, NewEvent, StreamId, StreamVersion};

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

    /// Checks the request against the heads of the streams that it names; a head that is missing is at version 0.
    ///
    /// # Errors
    /// [`AppendError::Repeated`] or [`AppendError::Conflict`].
    pub fn check(&self, heads: &BTreeMap<StreamId, StreamVersion>) -> Result<(), AppendError> {
        let mut seen = BTreeSet::new();
        let named = self.writes.iter().map(|write| (&write.stream, write.expected));
        let read = self.reads.iter().map(|read| (&read.stream, ExpectedVersion::Exact(read.version)));
        for (stream, expected) in named.chain(read) {
            if !seen.insert(stream) {
                return Err(AppendError::Repeated { stream: stream.clone() });
            }
            let actual = heads.get(stream).copied().unwrap_or_default();
            if !expected.allows(actual) {
                return Err(AppendError::Conflict { stream: stream.clone(), expected, actual });
            }
        }
        Ok(())
    }

    /// Every stream named, in the one order in which locks may be taken.
    #[must_use]
    pub fn streams(&self) -> BTreeSet<StreamId> {
        let written = self.writes.iter().map(|write| &write.stream);
        written.chain(self.reads.iter().map(|read| &read.stream)).cloned().collect()
    }
}

/// What an append left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// The new versions of the streams written.
    pub heads: BTreeMap<StreamId, StreamVersion>,
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
    /// An event of that id is stored already.
    #[error("an event of this append is stored already ({detail})")]
    DuplicateEvent {
        /// What the store says about it.
        detail: String,
    },
    /// The store failed; whether it appended may be unknown.
    #[error("could not append to the event store")]
    Store {
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
