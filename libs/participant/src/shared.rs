//! Shared streams while a batch is decided: locked, at the version their heads said. Separate from own streams, which
//! are never locked and remember commands.

use std::collections::HashMap;

use backstitch_event_store::StreamId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::place::{Folded, Place};

/// One shared stream's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Shared<S> {
    pub(crate) at: Place,
    pub(crate) state: S,
}

impl<S: Default + Clone + Serialize + DeserializeOwned + Send + 'static> Folded for Shared<S> {
    fn place(&self) -> &Place {
        &self.at
    }

    fn place_mut(&mut self) -> &mut Place {
        &mut self.at
    }
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
