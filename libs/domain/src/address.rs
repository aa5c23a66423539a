//! Where something is sent. Checked as far as a program can; whether the street exists only the carrier knows.

use serde::{Deserialize, Serialize};

use crate::text::{self, TextError};

/// A postal address whose parts were checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "AddressParts", into = "AddressParts")]
pub struct Address(AddressParts);

/// The parts of an address, as anyone may write them down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressParts {
    /// Who receives it.
    #[serde(default)]
    pub name: Option<String>,
    /// Street and number.
    pub line1: String,
    /// What did not fit there.
    #[serde(default)]
    pub line2: Option<String>,
    /// The town.
    pub city: String,
    /// The postal code, as that country writes it.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
}

/// Why parts are no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A part is blank, too long, or not readable.
    #[error("the address's {part} {problem}")]
    Part {
        /// Which one.
        part: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The country is no ISO code.
    #[error("`{country}` is no country: two upper-case letters are expected")]
    Country {
        /// The text, cut at 16 characters.
        country: String,
    },
}

impl Address {
    /// Characters allowed in each part but the postal code, which has [`Self::POSTAL_CODE_CHARS_MAX`].
    pub const PART_CHARS_MAX: usize = 200;
    /// Characters allowed in the postal code.
    pub const POSTAL_CODE_CHARS_MAX: usize = 16;

    /// Checks the parts and takes them over.
    ///
    /// # Errors
    /// [`AddressError`] naming the first part that is wrong.
    pub fn new(parts: AddressParts) -> Result<Self, AddressError> {
        let lines = [
            ("name", parts.name.as_deref()),
            ("line1", Some(parts.line1.as_str())),
            ("line2", parts.line2.as_deref()),
            ("city", Some(parts.city.as_str())),
        ];
        for (part, line) in lines {
            if let Some(line) = line {
                text::check(line, Self::PART_CHARS_MAX).map_err(|problem| wrong(part, problem))?;
            }
        }
        text::check(&parts.postal_code, Self::POSTAL_CODE_CHARS_MAX)
            .map_err(|problem| wrong("postal_code", problem))?;
        if parts.country.len() != 2 || !parts.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(AddressError::Country { country: parts.country.chars().take(16).collect() });
        }
        Ok(Self(parts))
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &AddressParts {
        &self.0
    }

    /// The postal code.
    #[must_use]
    pub fn postal_code(&self) -> &str {
        &self.0.postal_code
    }

    /// The country's ISO code.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.0.country
    }
}

fn wrong(part: &'static str, problem: TextError) -> AddressError {
    AddressError::Part { part, problem: problem.to_string() }
}

impl TryFrom<AddressParts> for Address {
    type Error = AddressError;

    fn try_from(parts: AddressParts) -> Result<Self, AddressError> {
        Self::new(parts)
    }
}

impl From<Address> for AddressParts {
    fn from(address: Address) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> AddressParts {
        AddressParts {
            name: Some("Ada Lovelace".into()),
            line1: "12 St James's Square".into(),
            line2: None,
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
        }
    }

    #[test]
    fn an_address_names_the_part_that_is_wrong() {
        let wrong = [
            (AddressParts { line1: " ".into(), ..parts() }, "the address's line1 is empty"),
            (AddressParts { name: Some(String::new()), ..parts() }, "the address's name is empty"),
            (AddressParts { city: "a\tb".into(), ..parts() }, "the address's city contains a control character"),
            (
                AddressParts { postal_code: "1".repeat(17), ..parts() },
                "the address's postal_code is longer than 16 characters",
            ),
            (
                AddressParts { country: "gb".into(), ..parts() },
                "`gb` is no country: two upper-case letters are expected",
            ),
        ];
        for (parts, message) in wrong {
            assert_eq!(Address::new(parts).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_message_cannot_carry_a_wrong_address() {
        let mut json = serde_json::to_value(Address::new(parts()).unwrap()).unwrap();
        assert!(serde_json::from_value::<Address>(json.clone()).is_ok());
        json["country"] = serde_json::json!("Great Britain");
        assert!(serde_json::from_value::<Address>(json).is_err());
    }

    #[test]
    fn what_may_be_absent_may_be_absent_from_the_message() {
        let json = r#"{"line1": "1 Main St", "city": "Springfield", "postal_code": "12345", "country": "US"}"#;
        let address: Address = serde_json::from_str(json).unwrap();
        assert_eq!(address.parts().line2, None);
        assert_eq!((address.postal_code(), address.country()), ("12345", "US"));
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_written_as_it_is_read(
            line1 in "\\PC{0,40}",
            city in ".{0,40}",
            country in "[A-Za-z]{1,3}",
        ) {
            if let Ok(address) = Address::new(AddressParts { line1, city, country, ..parts() }) {
                let written = serde_json::to_string(&address).unwrap();
                prop_assert_eq!(serde_json::from_str::<Address>(&written).unwrap(), address);
            }
        }
    }
}
