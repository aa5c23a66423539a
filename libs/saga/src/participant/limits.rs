//! How much a participant may be asked: at once, and in a time.
//!
//! Separate because these are numbers and arithmetic: a definition writes them, a lane takes its share of them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::{Span, Timestamp};

/// So many in a time, written as people do: `50/s`, `600/m`, `10/1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub max: u32,
    /// In which time.
    pub per: Duration,
}

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no rate: write it like 50/s, 600/m or 10/1h30m")]
pub struct RateError {
    /// The text that was read.
    pub text: String,
}

impl Rate {
    /// Reads a rate such as `50/s`.
    ///
    /// # Errors
    /// [`RateError`] when it is not a number, a slash, and a unit or a duration.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let error = || RateError { text: text.to_owned() };
        let (max, per) = text.trim().split_once('/').ok_or_else(error)?;
        let per = per.trim();
        let one = if per.starts_with(|c: char| c.is_ascii_digit()) { String::new() } else { "1".to_owned() };
        let span = Span::parse(&format!("{one}{per}")).map_err(|_| error())?;
        Ok(Self { max: max.trim().parse().map_err(|_| error())?, per: span.0 })
    }

    /// Whether it allows less than another one.
    fn is_below(self, other: Self) -> bool {
        let product = |max: u32, per: Duration| u128::from(max).saturating_mul(per.as_micros());
        product(self.max, other.per) < product(other.max, self.per)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = Span(self.per).to_string();
        let unit = per.strip_prefix('1').filter(|unit| unit.chars().all(|c| c.is_ascii_alphabetic()));
        write!(f, "{}/{}", self.max, unit.unwrap_or(&per))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// What one participant bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most commands that wait for its answer at once.
    pub in_flight_max: Option<u32>,
    /// Most commands in a time.
    pub rate_max: Option<Rate>,
}

impl Limits {
    /// Of two opinions the stricter, in each respect.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let in_flight_max = self.in_flight_max.into_iter().chain(other.in_flight_max).min();
        let rate_max = match (self.rate_max, other.rate_max) {
            (Some(one), Some(another)) => Some(if another.is_below(one) { another } else { one }),
            (one, another) => one.or(another),
        };
        Self { in_flight_max, rate_max }
    }

    /// What one of several lanes may do of it: an equal part, the first lanes one more where it does not come out even,
    /// and each at least one, since a lane that may ask nothing would hold its sagas for ever.
    #[must_use]
    pub fn share(self, lane: u32, lanes: u32) -> Self {
        let lanes = lanes.max(1);
        let part = |whole: u32| (whole / lanes + u32::from(lane < whole % lanes)).max(1);
        Self {
            in_flight_max: self.in_flight_max.map(part),
            rate_max: self.rate_max.map(|rate| Rate { max: part(rate.max), per: rate.per }),
        }
    }

    /// Whether so many lanes may together ask for more, because each may ask for one.
    #[must_use]
    pub fn are_below(self, lanes: u32) -> bool {
        let least = self.in_flight_max.into_iter().chain(self.rate_max.map(|rate| rate.max)).min();
        least.is_some_and(|least| least < lanes)
    }
}

/// A bucket of tokens, one for each command: it holds as many as the rate allows in its time, and fills evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it would be full, if nothing more were taken.
    full_at: Timestamp,
}

impl Bucket {
    /// One with a single token in it: a restart gives no second helping.
    #[must_use]
    pub fn new(rate: Rate, now: Timestamp) -> Self {
        Self { full_at: now.plus(interval(rate) * rate.max.saturating_sub(1)) }
    }

    /// When there is a token: at once, if that is not later than now.
    #[must_use]
    pub fn free_at(&self, rate: Rate) -> Timestamp {
        self.full_at.minus(interval(rate) * rate.max.saturating_sub(1))
    }

    /// Takes one, whether it is there or not.
    pub fn take(&mut self, rate: Rate, now: Timestamp) {
        self.full_at = self.full_at.max(now).plus(interval(rate));
    }
}

/// The time in which a token comes, rounded up: a limit is never passed.
fn interval(rate: Rate) -> Duration {
    let micros = rate.per.as_micros().div_ceil(u128::from(rate.max.max(1)));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_rate_reads_as_it_was_written() {
        for text in ["50/s", "600/m", "1/h", "3/250ms", "10/1h30m", "7/10s"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rate::parse(" 50 / 1s ").unwrap().to_string(), "50/s");
    }

    #[test]
    fn what_is_no_rate_is_told() {
        for text in ["", "50", "50/", "/s", "x/s", "50/week", "-1/s", "50/s/s"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_stricter_of_two_limits_counts() {
        let limits = |in_flight_max, rate: &str| Limits { in_flight_max, rate_max: Rate::parse(rate).ok() };
        assert_eq!(limits(Some(5), "50/s").stricter(limits(Some(9), "600/m")), limits(Some(5), "600/m"));
        assert_eq!(limits(None, "").stricter(limits(Some(9), "1/s")), limits(Some(9), "1/s"));
    }

    #[test]
    fn a_lane_that_would_get_nothing_gets_one() {
        let limits = Limits { in_flight_max: Some(2), rate_max: None };
        let shares: Vec<_> = (0..4).map(|lane| limits.share(lane, 4).in_flight_max).collect();
        assert_eq!(shares, [Some(1), Some(1), Some(1), Some(1)]);
        assert!(limits.are_below(4) && !limits.are_below(2));
    }

    proptest! {
        #[test]
        fn the_lanes_shares_come_to_the_whole(whole in 1..10_000_u32, lanes in 1..64_u32) {
            let limits = Limits { in_flight_max: Some(whole), rate_max: None };
            let sum: u32 = (0..lanes).filter_map(|lane| limits.share(lane, lanes).in_flight_max).sum();
            prop_assert_eq!(sum, whole.max(lanes));
        }

        #[test]
        fn in_no_time_more_is_given_than_the_bucket_holds_and_gets(
            max in 1..20_u32,
            waits in proptest::collection::vec(0..400_000_u64, 1..60),
        ) {
            let rate = Rate { max, per: Duration::from_secs(1) };
            let mut now = Timestamp::from_micros(0);
            let mut bucket = Bucket::new(rate, now);
            let mut given: Vec<Timestamp> = Vec::new();
            for wait in waits {
                now = now.plus(Duration::from_micros(wait));
                while bucket.free_at(rate) <= now {
                    bucket.take(rate, now);
                    given.push(now);
                }
            }
            for (index, from) in given.iter().enumerate() {
                for (count, to) in (1_u32..).zip(&given[index..]) {
                    let allowed = f64::from(max) * (1.0 + to.since(*from).as_secs_f64());
                    prop_assert!(f64::from(count) <= allowed + 1e-6, "{} within {:?}", count, to.since(*from));
                }
            }
        }
    }
}
