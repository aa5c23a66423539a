//! What one batch works on: streams as they were loaded, and beside them as its inputs leave them, so that the batch can
//! be decided again from the start. Separate from the logic, which outlives batches.

use std::collections::{BTreeMap, HashMap, HashSet};

use backstitch_event_store::StreamId;
use backstitch_processor::Rejection;

use crate::Participant;
use crate::case::{Case, InputId};
use crate::draft::{Drafted, Placed};
use crate::record::RecordOf;
use crate::recover::Read;
use crate::shared::SharedStreams;

/// A batch, between load and commit.
pub(crate) struct Batch<P: Participant> {
    pub(crate) cases: HashMap<InputId, Result<Case<P>, Rejection>>,
    pub(crate) own: Read<RecordOf<P>>,
    /// Own streams taken for new without looking: true only once something was written to them.
    pub(crate) assumed: HashSet<StreamId>,
    pub(crate) staged: HashMap<StreamId, RecordOf<P>>,
    pub(crate) shared: SharedStreams<P::Shared>,
    pub(crate) shared_broken: BTreeMap<StreamId, String>,
    pub(crate) appended: Vec<Placed>,
}

impl<P: Participant> Default for Batch<P> {
    fn default() -> Self {
        Self {
            cases: HashMap::new(),
            own: Read::default(),
            assumed: HashSet::new(),
            staged: HashMap::new(),
            shared: SharedStreams::default(),
            shared_broken: BTreeMap::new(),
            appended: Vec::new(),
        }
    }
}

impl<P: Participant> Batch<P> {
    /// The own stream's record, as the batch left it so far.
    pub(crate) fn record(&self, stream: &StreamId) -> Option<&RecordOf<P>> {
        self.staged.get(stream).or_else(|| self.own.streams.get(stream))
    }

    /// Takes over what an input left.
    pub(crate) fn stage(&mut self, stream: StreamId, drafted: Drafted<P>) {
        self.staged.insert(stream, drafted.record);
        self.shared.staged.extend(drafted.changed);
        self.appended.extend(drafted.appended);
    }

    /// The own streams as the commit made them true.
    pub(crate) fn take_own(&mut self) -> HashMap<StreamId, RecordOf<P>> {
        let (mut streams, assumed) = (std::mem::take(&mut self.own.streams), std::mem::take(&mut self.assumed));
        streams.retain(|stream, _| !assumed.contains(stream));
        streams.extend(std::mem::take(&mut self.staged));
        streams
    }

    /// Back to what was loaded.
    pub(crate) fn unstage(&mut self) {
        self.staged.clear();
        self.shared.staged.clear();
        self.appended.clear();
    }
}
