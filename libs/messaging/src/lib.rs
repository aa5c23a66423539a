//! What the rest of the system knows about a message broker: records, deliveries, lanes, and the traits a broker
//! implements. Separate, so that neither the engine's shell nor the services name Kafka.
//!
//! Nothing here talks to a network. [`memory`] is a broker inside one process, for tests that say so.

mod delivery;
mod lane;
mod learning;
pub mod memory;
mod partition;
mod ports;
mod record;
mod trace;

pub use delivery::{Delivery, FeedItem, TopicPartition};
pub use lane::{LaneId, Topology};
pub use learning::{LearningDecoder, ReadValueError, UnknownSchemas};
pub use partition::{murmur2, partition_for};
pub use ports::{
    Feed, Inbox, InboxError, Ownership, PublishError, Published, Publisher, SchemaSource, SchemaSourceError,
};
pub use record::{Header, Record};
pub use trace::TraceContext;
