//! Where a folded stream stands. Separate, because own and shared streams are recovered alike, whatever they are folded to.

use backstitch_event_store::{Snapshot, StoredEvent, StreamVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a folded stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// How many of its events are folded.
    pub(crate) version: StreamVersion,
    /// The last of them.
    pub(crate) event_id: Uuid,
    /// Where its newest snapshot, kept or on its way, stands.
    #[serde(skip)]
    pub(crate) snapshot: StreamVersion,
}

impl Place {
    /// One more event is folded.
    pub(crate) fn pass(&mut self, event_id: Uuid) {
        self.version = self.version.after(1);
        self.event_id = event_id;
    }
}

/// What a stream is folded to.
pub(crate) trait Folded: Default + Clone + Serialize + DeserializeOwned + Send + 'static {
    /// Where it stands.
    fn place(&self) -> &Place;
    /// The same, to be changed.
    fn place_mut(&mut self) -> &mut Place;

    /// As it was kept; `event` is what the stream has where the snapshot stands.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn of(snapshot: Snapshot, event: Option<&StoredEvent>) -> Result<Self, Unusable> {
        let mut folded: Self = serde_json::from_value(snapshot.state)?;
        let place = folded.place_mut();
        let is_of_this_stream =
            event.is_some_and(|event| (event.version, event.event.event_id) == (place.version, place.event_id));
        if !is_of_this_stream {
            return Err(Unusable::OfAnotherPast);
        }
        place.snapshot = place.version;
        Ok(folded)
    }
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// After a restore it may be ahead of its stream, or of events that were never restored.
    #[error("the stream does not have the event that it stands at")]
    OfAnotherPast,
    /// A form that changed without a new version.
    #[error("it is not understood: {0}")]
    NotUnderstood(#[from] serde_json::Error),
}
