//! A point in time as the engine sees it, and durations as people write them.
//!
//! Separate because the engine has no clock: whoever calls it says what time it is, and every journal row, deadline
//! and state stores the same plain number.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time that many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time `span` later; stays at the largest representable time rather than wrapping.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The time `span` earlier; stays at the smallest representable time rather than wrapping.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// The time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// A duration that reads and writes as people do: `250ms`, `30s`, `5m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration: write it like 250ms, 30s, 5m, 1h30m or 7d")]
pub struct SpanError {
    /// The text that was read.
    pub text: String,
}

const UNITS_MILLIS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// Reads a duration such as `1h30m`.
    ///
    /// # Errors
    /// [`SpanError`] when a number lacks its unit, a unit is unknown, or nothing is there.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError { text: text.to_owned() };
        let mut rest = text.trim();
        let mut millis: u64 = 0;
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let number: u64 = rest[..digits].parse().map_err(|_| error())?;
            let after = &rest[digits..];
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (_, unit) = UNITS_MILLIS.iter().find(|(name, _)| *name == &after[..end]).ok_or_else(error)?;
            millis = number.checked_mul(*unit).and_then(|part| millis.checked_add(part)).ok_or_else(error)?;
            rest = &after[end..];
        }
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self(span)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in UNITS_MILLIS {
            if millis >= size {
                write!(f, "{}{unit}", millis / size)?;
                millis %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_it_was_written() {
        for text in ["250ms", "30s", "5m", "1h30m", "7d", "0s"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_number_without_a_unit_is_no_duration() {
        for text in ["", "5", "m", "5x", "5m3", "99999999999999999999s"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(Timestamp::from_micros(i64::MAX).plus(Duration::MAX).as_micros(), i64::MAX);
        assert_eq!(Timestamp::from_micros(0).since(Timestamp::from_micros(5)), Duration::ZERO);
    }
}
