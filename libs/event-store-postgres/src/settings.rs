//! How a store uses its database. Separate from the store, because all of it has a good default.

/// Bounds of a [`crate::PostgresStore`].
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Appends that may wait to be written; whoever comes then waits for a place. 1,024 by default.
    pub queue_max: usize,
    /// Events in one statement, unless a single append has more. 512 by default.
    pub batch_max: usize,
    /// Statements on their way at the same time, each on a connection of the pool. 2 by default: one commits while the
    /// other is filled.
    pub writers: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { queue_max: 1_024, batch_max: 512, writers: 2 }
    }
}
