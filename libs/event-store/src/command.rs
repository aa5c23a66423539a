//! Commands: what a decision reads, what it makes of that, and what it says. Pure, and separate from their execution,
//! so that a test needs neither store nor clock.

use std::collections::BTreeMap;
use std::error::Error;

use crate::StreamId;
use crate::data::EventData;

/// A decision over the streams that it declares: together they are its consistency boundary. If any of them moves before
/// the events are written, the decision is made again.
pub trait Command: Send + Sync {
    /// The events it reads and writes.
    type Event: EventData;
    /// What it makes of them.
    type State: Default + Send + Sync;
    /// A rule's no.
    type Refusal: Error + Send + Sync + 'static;

    /// The streams it reads and those it may also write.
    fn streams(&self) -> Streams;

    /// Further streams, found in what was read: asked again until it names no new one.
    fn discover(&self, _state: &Self::State) -> Streams {
        Streams::new()
    }

    /// Takes an event of a declared stream into account. Each stream's events come in order.
    fn apply(&self, state: &mut Self::State, stream: &StreamId, event: &Self::Event);

    /// Decides. Events written to a stream that is not declared as written fail the command.
    ///
    /// # Errors
    /// When a rule says no: nothing is written then.
    fn handle(&self, state: &Self::State, facts: &mut Facts<Self::Event>) -> Result<(), Self::Refusal>;
}

/// Streams that a command declares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Streams {
    written: BTreeMap<StreamId, bool>,
}

impl Streams {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream that is read and may be written.
    #[must_use]
    pub fn write(mut self, stream: StreamId) -> Self {
        self.written.insert(stream, true);
        self
    }

    /// A stream that is only read.
    #[must_use]
    pub fn read(mut self, stream: StreamId) -> Self {
        self.written.entry(stream).or_insert(false);
        self
    }

    /// Whether the stream may be written.
    #[must_use]
    pub fn may_write(&self, stream: &StreamId) -> bool {
        self.written.get(stream).copied().unwrap_or(false)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &StreamId> {
        self.written.keys()
    }

    pub(crate) fn add(&mut self, more: Self) {
        for (stream, written) in more.written {
            *self.written.entry(stream).or_insert(false) |= written;
        }
    }
}

/// What a command says has happened.
#[derive(Debug)]
pub struct Facts<E> {
    pub(crate) events: Vec<(StreamId, E)>,
}

impl<E> Facts<E> {
    pub(crate) fn new() -> Self {
        Self { events: Vec::new() }
    }

    /// One more event, at the end of `stream`.
    pub fn emit(&mut self, stream: &StreamId, event: E) {
        self.events.push((stream.clone(), event));
    }
}

/// Leaves the function with a refusal unless the condition holds: `require!(balance >= amount, Broke { balance })`.
#[macro_export]
macro_rules! require {
    ($condition:expr, $refusal:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::From::from($refusal));
        }
    };
}
