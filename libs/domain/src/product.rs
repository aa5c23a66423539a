//! What a product is called. A checked text and no UUID, because shops bring their own article numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text;

/// Names a product: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductId(String);

/// Why a text names no product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a product id {problem}")]
pub struct ProductIdError {
    problem: text::TextError,
}

impl ProductId {
    /// Characters allowed.
    pub const CHARS_MAX: usize = 64;

    /// Checks the text and takes it over.
    ///
    /// # Errors
    /// [`ProductIdError`] if it is blank, longer than [`Self::CHARS_MAX`], or contains a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, ProductIdError> {
        let text = text.into();
        text::check(&text, Self::CHARS_MAX).map_err(|problem| ProductIdError { problem })?;
        Ok(Self(text))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProductId {
    type Err = ProductIdError;

    fn from_str(text: &str) -> Result<Self, ProductIdError> {
        Self::new(text)
    }
}

impl TryFrom<String> for ProductId {
    type Error = ProductIdError;

    fn try_from(text: String) -> Result<Self, ProductIdError> {
        Self::new(text)
    }
}

impl From<ProductId> for String {
    fn from(id: ProductId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_without_a_name_is_no_product() {
        assert_eq!(ProductId::new("").unwrap_err().to_string(), "a product id is empty");
        assert_eq!(ProductId::new("  ").unwrap_err().to_string(), "a product id is empty");
    }

    #[test]
    fn a_product_name_is_bounded_in_characters_not_in_bytes() {
        assert!(ProductId::new("ü".repeat(64)).is_ok());
        let error = ProductId::new("u".repeat(65)).unwrap_err();
        assert_eq!(error.to_string(), "a product id is longer than 64 characters");
    }

    #[test]
    fn a_message_cannot_carry_a_wrong_product() {
        let error = serde_json::from_str::<ProductId>("\"a\\u0007\"").unwrap_err();
        assert!(error.to_string().contains("a product id contains a control character"), "{error}");
    }

    proptest! {
        #[test]
        fn what_was_accepted_is_written_as_it_is_read(text in "\\PC{1,64}") {
            if let Ok(id) = ProductId::new(text.clone()) {
                let written = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<ProductId>(&written).unwrap(), id);
            } else {
                prop_assert!(text.trim().is_empty());
            }
        }
    }
}
