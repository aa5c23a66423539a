//! How many of something. Never zero: a line about nothing is a mistake of whoever wrote it.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A positive number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(NonZeroU32);

/// Why a number is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Zero, negative, or more than a quantity holds.
    #[error("{units} is no quantity: between 1 and {} is expected", Quantity::UNITS_MAX)]
    OutOfRange {
        /// The number.
        units: i64,
    },
    /// A sum of quantities is more than a quantity holds.
    #[error("{left} and {right} units are more than a quantity holds")]
    Overflow {
        /// One summand.
        left: Quantity,
        /// The other.
        right: Quantity,
    },
}

impl Quantity {
    /// The most units one quantity holds: what Avro's `int` holds, so that every quantity can be sent.
    pub const UNITS_MAX: u32 = i32::MAX as u32;

    /// Checks the number.
    ///
    /// # Errors
    /// [`QuantityError::OutOfRange`] unless it is between 1 and [`Self::UNITS_MAX`].
    pub fn new(units: i64) -> Result<Self, QuantityError> {
        u32::try_from(units)
            .ok()
            .filter(|units| *units <= Self::UNITS_MAX)
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or(QuantityError::OutOfRange { units })
    }

    /// The number of units.
    #[must_use]
    pub const fn units(self) -> u32 {
        self.0.get()
    }

    /// Both together.
    ///
    /// # Errors
    /// [`QuantityError::Overflow`] if that is more than a quantity holds.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        let overflow = QuantityError::Overflow { left: self, right: other };
        let sum = self.0.checked_add(other.units()).ok_or_else(|| overflow.clone())?;
        if sum.get() > Self::UNITS_MAX { Err(overflow) } else { Ok(Self(sum)) }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<i64> for Quantity {
    type Error = QuantityError;

    fn try_from(units: i64) -> Result<Self, QuantityError> {
        Self::new(units)
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        Self::from(quantity.units())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_orders_nothing_or_less() {
        assert!(Quantity::new(0).is_err());
        assert!(serde_json::from_str::<Quantity>("-3").is_err());
        let error = Quantity::new(-3).unwrap_err();
        assert_eq!(error.to_string(), "-3 is no quantity: between 1 and 2147483647 is expected");
    }

    const UNITS: i64 = Quantity::UNITS_MAX as i64;

    proptest! {
        #[test]
        fn a_sum_is_the_sum_or_an_error(left in 1..=UNITS, right in 1..=UNITS) {
            let sum = Quantity::new(left).unwrap().checked_add(Quantity::new(right).unwrap());
            match sum {
                Ok(sum) => prop_assert_eq!(i64::from(sum), left + right),
                Err(_) => prop_assert!(left + right > i64::from(Quantity::UNITS_MAX)),
            }
        }
    }
}
