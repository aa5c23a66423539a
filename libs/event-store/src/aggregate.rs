//! An aggregate: a state that is folded from one stream. Pure, and separate from how it is loaded.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::EventData;

/// A state folded from the events of one stream.
pub trait Aggregate: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The events it is folded from.
    type Event: EventData;

    /// For metrics: `Account`.
    const NAME: &'static str;

    /// The form of its state in snapshots. To be raised whenever the state or its fold changes: snapshots of other forms
    /// are then ignored, and taken anew.
    const STATE_VERSION: i32;

    /// How many events lie between two snapshots.
    const SNAPSHOT_EVERY: u64 = 100;

    /// Takes an event into account.
    fn apply(&mut self, event: &Self::Event);
}
