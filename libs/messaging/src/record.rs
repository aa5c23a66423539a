//! A record on its way to a topic. Separate from [`crate::Delivery`], which has coordinates already.

use serde::{Deserialize, Serialize};

/// One header: a name and its bytes.
pub type Header = (String, Vec<u8>);

/// A record to publish, key and value already encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// The topic it goes to.
    pub topic: String,
    /// The partition, where the sender decides it; by key (murmur2) otherwise.
    pub partition: Option<i32>,
    /// The key, which decides order and partition.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone on compacted topics.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<Header>,
}

impl Record {
    /// A record for `topic` with a text key.
    #[must_use]
    pub fn new(topic: impl Into<String>, key: impl AsRef<[u8]>, value: Vec<u8>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            key: Some(key.as_ref().to_vec()),
            value: Some(value),
            headers: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }
}
