//! A record as it was read, with its coordinates. Separate from [`crate::Record`], which has none yet.

use std::sync::Arc;

use crate::Header;

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name, shared by all its deliveries.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// The pair of both.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// One record as the broker handed it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was read.
    pub source: TopicPartition,
    /// Its offset there.
    pub offset: i64,
    /// The broker's or producer's time, milliseconds since 1970, if any.
    pub timestamp_millis: Option<i64>,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<Header>,
}

impl Delivery {
    /// The last header of that name, as Kafka clients read repeated headers.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// The same, if it is UTF-8.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The topic it came from.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.source.topic
    }
}

/// What a lane's feed yields, in the order of each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedItem {
    /// A record.
    Delivery(Delivery),
    /// Everything before `offset` has been handed over, control records included.
    CaughtUp {
        /// Where.
        source: TopicPartition,
        /// The end at the time of the broker's answer.
        offset: i64,
    },
}
