//! A lane's time: the database's, carried on by this process's monotonic clock. Separate, because a clock that jumps must
//! not expire everything at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// A difference beyond this between the database's clock and ours is a jump, not drift.
const JUMP: Duration = Duration::from_secs(2);

/// Time as a lane sees it: never backwards, never in leaps.
#[derive(Debug, Clone)]
pub(crate) struct LaneClock {
    base: DateTime<Utc>,
    since: Instant,
}

impl LaneClock {
    pub(crate) fn start(database_now: DateTime<Utc>, now: Instant) -> Self {
        Self { base: database_now, since: now }
    }

    pub(crate) fn at(&self, now: Instant) -> DateTime<Utc> {
        let elapsed = now.saturating_duration_since(self.since);
        self.base + TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX)
    }

    /// Follows the database's clock where it drifts ahead, and ignores jumps. Answers the jump, if there was one.
    pub(crate) fn follow(&mut self, database_now: DateTime<Utc>, now: Instant) -> Option<TimeDelta> {
        let ours = self.at(now);
        let difference = database_now - ours;
        if difference.abs() > TimeDelta::from_std(JUMP).unwrap_or(TimeDelta::MAX) {
            return Some(difference);
        }
        if difference > TimeDelta::zero() {
            self.base = database_now;
            self.since = now;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_jump_of_the_database_clock_moves_no_deadline() {
        let start = Instant::now();
        let mut clock = LaneClock::start(at(1_000), start);
        assert_eq!(clock.follow(at(4_600), start), Some(TimeDelta::seconds(3_600)));
        assert_eq!(clock.at(start + Duration::from_secs(5)), at(1_005));
    }

    #[test]
    fn drift_is_followed_forwards_and_never_backwards() {
        let start = Instant::now();
        let mut clock = LaneClock::start(at(1_000), start);
        assert_eq!(clock.follow(at(1_001), start), None);
        assert_eq!(clock.at(start), at(1_001));
        assert_eq!(clock.follow(at(1_000), start), None);
        assert_eq!(clock.at(start), at(1_001));
    }
}
