//! Amounts of money: minor units and a currency, never a float. Arithmetic that could lie returns an error instead.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Quantity;

/// An ISO 4217 code: three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Why a text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no currency: three upper-case letters are expected")]
pub struct CurrencyError {
    /// The text, cut at 16 characters.
    pub text: String,
}

impl Currency {
    /// United States dollar: what orders without a currency are read as.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        // Only ASCII letters are ever stored, so this cannot fail.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(CurrencyError { text: text.chars().take(16).collect() }),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, CurrencyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount, which may be zero or negative: rules about that are the business's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Cents, for currencies that have them.
    pub minor_units: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why a sum or product of money does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Different currencies do not add up.
    #[error("{left} and {right} are different currencies")]
    CurrencyMismatch {
        /// One currency.
        left: Currency,
        /// The other.
        right: Currency,
    },
    /// The result is more than an amount holds.
    #[error("the amount in {currency} is more than can be counted")]
    Overflow {
        /// The currency of the amounts.
        currency: Currency,
    },
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub const fn new(minor_units: i64, currency: Currency) -> Self {
        Self { minor_units, currency }
    }

    /// Nothing, in that currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Whether it is more than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.minor_units > 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError`] if the currencies differ or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combined(other, i64::checked_add)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError`] if the currencies differ or the difference does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combined(other, i64::checked_sub)
    }

    /// This amount so many times: a line total.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if the product does not fit.
    pub fn checked_mul(self, times: Quantity) -> Result<Self, MoneyError> {
        self.minor_units
            .checked_mul(i64::from(times))
            .map(|minor_units| Self { minor_units, ..self })
            .ok_or(MoneyError::Overflow { currency: self.currency })
    }

    fn combined(self, other: Self, operation: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency });
        }
        operation(self.minor_units, other.minor_units)
            .map(|minor_units| Self { minor_units, ..self })
            .ok_or(MoneyError::Overflow { currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// Minor units and code: how many decimals a currency shows is a matter for whoever shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.minor_units, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_and_euros_do_not_add_up() {
        let sum = Money::new(100, Currency::USD).checked_add(Money::new(100, Currency::EUR));
        assert_eq!(sum, Err(MoneyError::CurrencyMismatch { left: Currency::USD, right: Currency::EUR }));
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!("CHF".parse::<Currency>().unwrap().code(), "CHF");
        for wrong in ["", "usd", "US", "USDT", "U$D", "ÄB"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
            assert!(serde_json::from_value::<Currency>(serde_json::json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_amount_too_large_is_an_error_and_never_a_small_one() {
        let most = Money::new(i64::MAX, Currency::USD);
        assert_eq!(
            most.checked_add(Money::new(1, Currency::USD)),
            Err(MoneyError::Overflow { currency: Currency::USD })
        );
        assert!(most.checked_mul(Quantity::new(2).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_wider_integers(a: i64, b: i64, times in 1..=i64::from(Quantity::UNITS_MAX)) {
            let (left, right) = (Money::new(a, Currency::USD), Money::new(b, Currency::USD));
            let units = |money: Result<Money, MoneyError>| money.ok().map(|money| i128::from(money.minor_units));
            let fits = |exact: i128| i64::try_from(exact).is_ok().then_some(exact);
            prop_assert_eq!(units(left.checked_add(right)), fits(i128::from(a) + i128::from(b)));
            prop_assert_eq!(units(left.checked_sub(right)), fits(i128::from(a) - i128::from(b)));
            let product = left.checked_mul(Quantity::new(times).unwrap());
            prop_assert_eq!(units(product), fits(i128::from(a) * i128::from(times)));
        }

        #[test]
        fn money_is_written_as_it_is_read(minor_units: i64, code in "[A-Z]{3}") {
            let money = Money::new(minor_units, code.parse().unwrap());
            let written = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&written).unwrap(), money);
        }
    }
}
