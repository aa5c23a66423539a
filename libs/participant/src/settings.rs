//! What differs between services besides their decisions.

use std::num::NonZeroU64;

use backstitch_contracts::Encoder;
use sqlx::PgPool;

use crate::Snapshots;

/// A service's place among topics.
pub struct Settings {
    /// Its name: `source` of all it publishes, and part of the ids of its events.
    pub source: String,
    /// Where its published events go.
    pub events_topic: String,
    /// Encodes for that topic.
    pub encoder: Encoder,
    /// Own streams, and shared ones, that each lane keeps in memory.
    pub cached_streams_max: usize,
    /// Where snapshots are taken; without, none is taken and none is looked for.
    pub snapshots: Option<Snapshots>,
}

impl Settings {
    /// Streams kept in memory by each lane, unless said otherwise.
    pub const CACHED_STREAMS: usize = 10_000;

    /// With the usual bounds.
    #[must_use]
    pub fn new(source: impl Into<String>, events_topic: impl Into<String>, encoder: Encoder) -> Self {
        Self {
            source: source.into(),
            events_topic: events_topic.into(),
            encoder,
            cached_streams_max: Self::CACHED_STREAMS,
            snapshots: None,
        }
    }

    /// The same, with a snapshot every so many events of a stream (0: none), kept in the database of the streams. Needs a
    /// Tokio runtime.
    #[must_use]
    pub fn with_snapshots(mut self, every: u64, pool: PgPool) -> Self {
        self.snapshots = NonZeroU64::new(every).map(|every| Snapshots::start(every, pool));
        self
    }
}
