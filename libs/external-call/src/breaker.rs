//! The circuit breaker: closed, open, half-open. Pure, time being handed in, so that its tests need no clock; our own,
//! because the one light crate for it has not been kept up and reads the clock itself.

use std::time::{Duration, Instant};

/// Whether the foreign system is being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes; so many attempts in a row have failed.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// Nothing passes until then.
    Open {
        /// When one attempt may try.
        until: Instant,
    },
    /// One attempt is trying; if it never comes back, another may at that time.
    HalfOpen {
        /// When another attempt may try.
        until: Instant,
    },
}

/// What an attempt may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Go.
    Go,
    /// Ask again after this time.
    Wait(Duration),
}

/// Stops asking a system that does not answer, and lets one attempt at a time find out whether it is back.
#[derive(Debug)]
pub struct Breaker {
    state: BreakerState,
    failures_max: u32,
    open_for: Duration,
}

impl Breaker {
    /// Closed; opens after `failures_max` failures in a row (at least one), for `open_for`.
    #[must_use]
    pub fn new(failures_max: u32, open_for: Duration) -> Self {
        Self { state: BreakerState::Closed { failures: 0 }, failures_max: failures_max.max(1), open_for }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether an attempt may be made now.
    pub fn ask(&mut self, now: Instant) -> Permit {
        match self.state {
            BreakerState::Closed { .. } => Permit::Go,
            BreakerState::Open { until } | BreakerState::HalfOpen { until } if now < until => Permit::Wait(until - now),
            BreakerState::Open { .. } | BreakerState::HalfOpen { .. } => {
                self.state = BreakerState::HalfOpen { until: now + self.open_for };
                Permit::Go
            }
        }
    }

    /// The system answered, whatever it said.
    pub fn answered(&mut self) {
        self.state = BreakerState::Closed { failures: 0 };
    }

    /// The system did not answer.
    pub fn failed(&mut self, now: Instant) {
        let open = BreakerState::Open { until: now + self.open_for };
        self.state = match self.state {
            BreakerState::Closed { failures } if failures + 1 < self.failures_max => {
                BreakerState::Closed { failures: failures + 1 }
            }
            BreakerState::Closed { .. } | BreakerState::HalfOpen { .. } => open,
            // Attempts that began before it opened fail late: they are no news and must not keep it open for longer.
            BreakerState::Open { until } => BreakerState::Open { until },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(2);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(3, OPEN_FOR);
        for _ in 0..3 {
            assert_eq!(breaker.ask(now), Permit::Go);
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, OPEN_FOR);
        breaker.failed(now);
        breaker.failed(now);
        breaker.answered();
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.ask(now), Permit::Go);
        breaker.failed(now);
        assert_eq!(breaker.ask(now), Permit::Wait(OPEN_FOR));
    }

    #[test]
    fn after_its_time_one_attempt_passes_and_the_others_wait() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + OPEN_FOR;
        assert_eq!(breaker.ask(later), Permit::Go);
        assert_eq!(breaker.ask(later), Permit::Wait(OPEN_FOR));
    }

    #[test]
    fn the_attempt_that_is_answered_closes_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.ask(now + OPEN_FOR), Permit::Go);
        breaker.answered();
        assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
    }

    #[test]
    fn the_attempt_that_fails_opens_it_again() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + OPEN_FOR;
        assert_eq!(breaker.ask(later), Permit::Go);
        breaker.failed(later);
        assert_eq!(breaker.ask(later), Permit::Wait(OPEN_FOR));
    }

    #[test]
    fn an_attempt_that_never_comes_back_does_not_keep_it_shut_for_ever() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.ask(now + OPEN_FOR), Permit::Go);
        assert_eq!(breaker.ask(now + 2 * OPEN_FOR), Permit::Go);
    }

    #[test]
    fn failures_that_come_late_do_not_keep_it_open_for_longer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.failed(now + Duration::from_secs(1));
        assert_eq!(breaker.ask(now + OPEN_FOR), Permit::Go);
    }
}
