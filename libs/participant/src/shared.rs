//! Shared streams while a batch is decided: locked, at the version their heads said. Separate from own streams, which
//! are never locked and remember commands.

use std::collections::HashMap;

use backstitch_event_store::{StreamId, StreamVersion};

/// One shared stream's state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared<S> {
    pub(crate) version: StreamVersion,
    pub(crate) state: S,
}

/// The shared streams of a batch.
#[derive(Debug, Default)]
pub(crate) struct SharedStreams<S> {
    /// As their heads and events said.
    pub(crate) locked: HashMap<StreamId, Shared<S>>,
    /// As the batch changed them so far.
    pub(crate) staged: HashMap<StreamId, Shared<S>>,
    /// What is shown for a stream that was not locked, the decision being void already.
    pub(crate) blank: S,
}

impl<S> SharedStreams<S> {
    /// The stream as the batch left it so far.
    pub(crate) fn get(&self, stream: &StreamId) -> Option<&Shared<S>> {
        self.staged.get(stream).or_else(|| self.locked.get(stream))
    }
}
