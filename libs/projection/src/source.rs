//! Where a projection's events come from: a membership for each version, so that a rebuild reads in its own time. A trait,
//! because tests read from a broker in memory.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Decoder;
use backstitch_messaging::{Inbox, SchemaSource};

/// Why the topics cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not join the group `{group}`: {reason}")]
pub struct JoinError {
    /// The group.
    pub group: String,
    /// The chain of causes.
    pub reason: String,
}

/// Makes memberships.
#[async_trait]
pub trait Inboxes: Send + Sync + 'static {
    /// Joins the group that shares the partitions of `lane_topic` out, and reads `inputs` too.
    ///
    /// # Errors
    /// [`JoinError`]; it is tried again later.
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError>;
}

/// Everything that reading needs.
#[derive(Clone)]
pub struct Sources {
    /// Memberships.
    pub inboxes: Arc<dyn Inboxes>,
    /// Reader schemas, and the writer schemas seen so far.
    pub decoder: Arc<Decoder>,
    /// Writer schemas that were not seen yet.
    pub schemas: Arc<dyn SchemaSource>,
}
