//! Kafka and the schema registry behind the traits of `backstitch-messaging`. Separate, and the only crate that names
//! their clients.
//!
//! [`KafkaInbox`] owns lanes and reads their records, [`KafkaPublisher`] publishes, [`KafkaSettings`] is how a cluster
//! is reached.

mod admin;
mod backlog;
mod client_log;
mod end_mark;
mod ends;
mod feed;
mod inbox;
mod lag;
mod membership;
mod ownership;
mod publisher;
mod reader;
pub mod registry;
mod schema_source;
mod settings;
mod ticket;
mod topic_reader;
mod topology;

pub use admin::{EnsureTopicsError, TopicSpec, TopicState, ensure_topics};
pub use backlog::{Backlog, BacklogError, Backlogs};
pub use inbox::{InboxPlan, KafkaInbox, StartInboxError};
pub use publisher::KafkaPublisher;
pub use settings::{Extra, GroupProtocol, KafkaSettings, Security};
pub use topic_reader::{OpenTopicError, ReadFrom, ReadUntil, TopicReader};
pub use topology::{TopologyError, partition_counts};
