//! A record on its way to a topic. Separate from [`crate::Delivery`], which has coordinates already.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::Bytes;

/// One header: a name, mostly one of [`backstitch_contracts::headers`], and its bytes.
pub type Header = (Cow<'static, str>, Vec<u8>);

/// A record to publish, key and value already encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// The topic it goes to.
    pub topic: String,
    /// The partition, where the sender decides it; by key (murmur2) otherwise.
    pub partition: Option<i32>,
    /// The key, which decides order and partition.
    #[serde(with = "serde_bytes")]
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone on compacted topics.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    #[serde(serialize_with = "whole_values")]
    pub headers: Vec<Header>,
}

/// The values as bytes, not as lists of numbers: the same where it is kept, and written at once.
fn whole_values<S: Serializer>(headers: &[Header], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, value)| (name, Bytes::new(value))))
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
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }
}
