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
    pub(crate) locked: HashMap<StreamId, Shared<S>>,
    /// What is shown for a stream that was not locked, the decision being void already.
    pub(crate) blank: S,
}
