//! The traits a broker and a schema registry implement. Here and not beside an implementation, so that the processor
//! runs on any of them.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::{FeedItem, LaneId, Record, TopicPartition, Topology};

/// Publishes records, keeping the order in which they were handed over for each partition.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Hands all records over; returns once all are queued. The receipt resolves when every one of them is durable.
    ///
    /// # Errors
    /// [`PublishError::Fatal`] if the producer is broken for good. A record that is refused shows in the receipt; the
    /// others go out.
    async fn publish(&self, records: Vec<Record>) -> Result<Published, PublishError>;
}

/// Resolves to `Ok` when every record of one call is durable on the broker.
pub type Published = oneshot::Receiver<Result<(), PublishError>>;

/// Why records could not be published. Outages do not show here: the producer waits and goes on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The broker or client refuses this record whatever happens.
    #[error("the record for topic `{topic}` is refused: {reason}")]
    Refused {
        /// The record's topic.
        topic: String,
        /// The client's words.
        reason: String,
    },
    /// The producer cannot go on; the process must start anew.
    #[error("the producer has failed for good: {reason}")]
    Fatal {
        /// The client's words.
        reason: String,
    },
}

/// A change of ownership, to be acknowledged so that a rebalance can wait for a graceful hand-over.
#[derive(Debug)]
pub enum Ownership {
    /// The lane is ours from now on.
    Gained(LaneId),
    /// The lane is no longer ours, or soon not. Dropping the sender acknowledges it.
    Lost(LaneId, oneshot::Sender<()>),
}

/// A lane's records and catch-up marks. Dropping it stops the reading.
pub type Feed = mpsc::Receiver<Vec<FeedItem>>;

/// A membership in a group that owns lanes, and the reading of what the owned lanes read.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// What is read, as it was at start.
    fn topology(&self) -> &Topology;

    /// The next change of ownership; `None` when the inbox is closed.
    async fn ownership(&self) -> Option<Ownership>;

    /// Whether the group says that the lane is ours just now.
    fn owns(&self, lane: LaneId) -> bool;

    /// Starts handing over the lane's inputs from these offsets on (from the beginning where none is given).
    ///
    /// # Errors
    /// [`InboxError`] if the broker's client refuses the assignment.
    async fn read(&self, lane: LaneId, from: &[(TopicPartition, i64)]) -> Result<Feed, InboxError>;

    /// Stops reading for the lane; its feed ends.
    async fn stop(&self, lane: LaneId);

    /// The end offsets of the lane's inputs, asked from the broker after the call began.
    ///
    /// # Errors
    /// [`InboxError`] if the broker does not answer.
    async fn end_offsets(&self, lane: LaneId) -> Result<Vec<(TopicPartition, i64)>, InboxError>;

    /// Tells the broker how far the lane has come. For lag tools only; best effort.
    fn report(&self, offsets: Vec<(TopicPartition, i64)>);

    /// Leaves the group; its other members get the lanes at once. They are announced as lost, but no acknowledgement is
    /// waited for, and what is read for them is read on. Afterwards [`Inbox::ownership`] ends.
    async fn leave(&self);

    /// Leaves the group, unless that is done, and ends all reading.
    async fn close(&self);
}

/// Why the inbox could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The broker's client said no, or did not answer in time.
    #[error("the broker could not {action}: {reason}")]
    Broker {
        /// What was asked.
        action: &'static str,
        /// The client's words.
        reason: String,
    },
}

/// Where writer schemas come from.
#[async_trait]
pub trait SchemaSource: Send + Sync + 'static {
    /// The text of the schema that the registry knows by `id`.
    ///
    /// # Errors
    /// [`SchemaSourceError::Unknown`] is definite; [`SchemaSourceError::Unavailable`] is worth asking again.
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError>;
}

/// Why a schema could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SchemaSourceError {
    /// The registry answered: there is no such schema.
    #[error("the schema registry has no schema {id}")]
    Unknown {
        /// The id asked for.
        id: u32,
    },
    /// No answer, or none that means anything.
    #[error("the schema registry is unavailable: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
}
