//! The name of a stream. Separate, because its form (`category-key`) is what lanes, locks and read models rely on.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const BYTES_MAX: usize = 200;

/// `category-key`, such as `order-6f1c…`: the category has no hyphen, the key may.
///
/// Not empty, at most 200 bytes, no control characters. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(Arc<str>);

/// Why a text names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no stream: `category-key` of at most {BYTES_MAX} bytes without control characters is asked for"
)]
pub struct InvalidStreamId {
    text: String,
}

impl StreamId {
    /// The stream of `category` with `key`.
    ///
    /// Total, so that typed ids need no error path: a key that no name can hold (empty, too long, control characters)
    /// is replaced by its UUIDv5.
    #[must_use]
    pub fn of(category: &'static str, key: impl fmt::Display) -> Self {
        debug_assert!(!category.is_empty() && !category.contains('-'), "a category has no hyphen");
        let text = format!("{category}-{key}");
        if is_valid(&text) {
            return Self(text.into());
        }
        let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
        Self(format!("{category}-{key}").into())
    }

    /// A name from elsewhere.
    ///
    /// # Errors
    /// When it is not of the form `category-key`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidStreamId> {
        let text = text.into();
        if is_valid(&text) { Ok(Self(text.into())) } else { Err(InvalidStreamId { text }) }
    }

    /// What stands before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// What stands after the first hyphen.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(_, key)| key)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_valid(text: &str) -> bool {
    let parts = text.split_once('-').is_some_and(|(category, key)| !category.is_empty() && !key.is_empty());
    parts && text.len() <= BYTES_MAX && !text.contains(char::is_control)
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, InvalidStreamId> {
        Self::parse(text)
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_category_and_a_key_that_may_have_hyphens() {
        let stream = StreamId::of("stock", "blue-shoe");
        assert_eq!((stream.as_str(), stream.category(), stream.key()), ("stock-blue-shoe", "stock", "blue-shoe"));
    }

    #[test]
    fn a_name_without_category_or_key_or_with_control_characters_is_refused() {
        for text in ["", "stock", "-x", "stock-", "stock-a\nb"] {
            assert!(StreamId::parse(text).is_err(), "{text:?}");
        }
        assert!(StreamId::parse(format!("stock-{}", "x".repeat(300))).is_err());
    }

    #[test]
    fn keys_that_no_name_can_hold_still_have_streams_of_their_own() {
        let (one, other) = (StreamId::of("stock", "a\nb"), StreamId::of("stock", "a\rb"));
        assert_ne!(one, other);
        assert!(StreamId::parse(one.as_str()).is_ok());
    }
}
