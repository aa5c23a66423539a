//! A participant's circuit breaker: what opens it, what closes it, and when a probe is let through.
//!
//! Separate because it knows no saga: silences and answers in, one state out. A business refusal is an answer.

use std::time::Duration;

use super::openings::Opening;
use crate::cause::By;
use crate::time::Timestamp;

/// When breakers open, and for how long nothing is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many silent attempts in a row, with no answer between them, open it; 0: silence never does.
    pub silences_max: u32,
    /// So long after it has opened, and again after each probe, one overdue attempt is let through as a probe.
    pub probe_after: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { silences_max: 10, probe_after: Duration::from_secs(30) }
    }
}

/// Something that was heard of a participant, or was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Any answer: done, refused, another try wanted; also one that comes too late for its saga.
    Answer,
    /// An attempt's time was up.
    Silence,
}

/// A participant's circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Clocks run.
    Closed {
        /// Silent attempts since the last answer.
        silences: u32,
    },
    /// Clocks of its attempts stand still.
    Open {
        /// Since when.
        since: Timestamp,
        /// The person who opened it; absent when silence did.
        by: Option<By>,
    },
}

/// A breaker as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Clocks run.
    Closed,
    /// Clocks of its attempts stand still.
    Open,
    /// The same, but for probes: now and then one overdue attempt is let through.
    HalfOpen,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { silences: 0 }
    }
}

impl Breaker {
    /// What becomes of it when this is heard. Nothing changes what a person has opened.
    #[must_use]
    pub fn hear(self, heard: Heard, at: Timestamp, rules: &BreakerRules) -> Self {
        match (self, heard) {
            (Self::Closed { .. }, Heard::Answer) => Self::Closed { silences: 0 },
            (Self::Closed { silences }, Heard::Silence) => {
                let silences = silences.saturating_add(1);
                let opens = rules.silences_max > 0 && silences >= rules.silences_max;
                if opens { Self::Open { since: at, by: None } } else { Self::Closed { silences } }
            }
            // An answer of before it opened says nothing about now.
            (Self::Open { since, by: None }, Heard::Answer) if at >= since => Self::Closed { silences: 0 },
            (open @ Self::Open { .. }, Heard::Answer | Heard::Silence) => open,
        }
    }

    /// What its openings say of it. Silences counted so far are kept where they still count.
    #[must_use]
    pub fn as_opened(self, current: Option<&Opening>) -> Self {
        match (self, current) {
            (_, Some(opening)) => Self::Open { since: opening.opened_at, by: opening.by.clone() },
            (closed @ Self::Closed { .. }, None) => closed,
            (Self::Open { .. }, None) => Self::default(),
        }
    }

    /// Whether clocks stand still.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

impl Opening {
    /// When the next probe may be let through: after it has opened, and after the last probe, which may have been one of
    /// an earlier opening. Never for what a person has opened.
    #[must_use]
    pub fn probes_at(&self, last_probe: Option<Timestamp>, rules: &BreakerRules) -> Option<Timestamp> {
        let since = last_probe.map_or(self.opened_at, |last| last.max(self.opened_at));
        (self.by.is_none() && self.closed_at.is_none()).then(|| since.plus(rules.probe_after))
    }

    /// How people see the breaker at `now`.
    #[must_use]
    pub fn phase(&self, now: Timestamp, rules: &BreakerRules) -> Phase {
        match (self.closed_at, self.probes_at(None, rules)) {
            (Some(_), _) => Phase::Closed,
            (None, Some(probes_at)) if probes_at <= now => Phase::HalfOpen,
            (None, _) => Phase::Open,
        }
    }
}

impl Phase {
    /// The word used in interfaces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    const RULES: BreakerRules = BreakerRules { silences_max: 3, probe_after: Duration::from_secs(30) };

    fn after(heard: &[Heard]) -> Breaker {
        let times = (1_i64..).map(Timestamp::from_micros);
        heard.iter().zip(times).fold(Breaker::default(), |breaker, (heard, at)| breaker.hear(*heard, at, &RULES))
    }

    const fn opening(by: Option<By>) -> Opening {
        Opening { opened_at: Timestamp::from_micros(0), closed_at: None, by }
    }

    #[test]
    fn silence_in_a_row_opens_it_and_any_answer_closes_it() {
        use Heard::{Answer, Silence};
        assert_eq!(after(&[Silence, Silence]), Breaker::Closed { silences: 2 });
        assert_eq!(after(&[Silence, Silence, Answer, Silence]), Breaker::Closed { silences: 1 });
        let since = Timestamp::from_micros(3);
        assert_eq!(after(&[Silence, Silence, Silence, Silence]), Breaker::Open { since, by: None });
        assert_eq!(after(&[Silence, Silence, Silence, Answer]), Breaker::Closed { silences: 0 });
    }

    #[test]
    fn an_answer_of_before_it_opened_does_not_close_it() {
        let open = Breaker::Open { since: Timestamp::from_micros(9), by: None };
        assert_eq!(open.clone().hear(Heard::Answer, Timestamp::from_micros(8), &RULES), open);
    }

    #[test]
    fn where_silence_never_opens_it_it_stays_closed() {
        let rules = BreakerRules { silences_max: 0, ..RULES };
        let breaker = (0..100)
            .fold(Breaker::default(), |breaker, at| breaker.hear(Heard::Silence, Timestamp::from_micros(at), &rules));
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_probe_comes_after_a_while_and_again_after_each_probe() {
        let second = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let opening = opening(None);
        assert_eq!(opening.probes_at(None, &RULES), Some(second(30)));
        assert_eq!(opening.probes_at(Some(second(-5)), &RULES), Some(second(30)));
        assert_eq!(opening.probes_at(Some(second(31)), &RULES), Some(second(61)));
        assert_eq!(opening.phase(second(29), &RULES), Phase::Open);
        assert_eq!(opening.phase(second(30), &RULES), Phase::HalfOpen);
    }

    #[test]
    fn what_a_person_has_opened_has_no_probes() {
        let opening = opening(Some(By::who("ann")));
        assert_eq!(opening.probes_at(None, &RULES), None);
        assert_eq!(opening.phase(Timestamp::from_micros(i64::MAX), &RULES), Phase::Open);
    }

    proptest! {
        #[test]
        fn only_a_person_closes_what_a_person_has_opened(answers in proptest::collection::vec(any::<bool>(), 0..50)) {
            let open = Breaker::Open { since: Timestamp::from_micros(0), by: Some(By::who("ann")) };
            let heard = answers.iter().map(|answer| if *answer { Heard::Answer } else { Heard::Silence });
            let after = heard.zip(1..).fold(open.clone(), |breaker, (heard, at)| {
                breaker.hear(heard, Timestamp::from_micros(at), &RULES)
            });
            prop_assert_eq!(after, open);
        }

        #[test]
        fn it_is_open_exactly_after_so_many_silences_in_a_row_since_the_last_answer(
            answers in proptest::collection::vec(any::<bool>(), 0..50),
        ) {
            let heard: Vec<Heard> =
                answers.iter().map(|answer| if *answer { Heard::Answer } else { Heard::Silence }).collect();
            let silences = answers.iter().rev().take_while(|answer| !**answer).count();
            prop_assert_eq!(after(&heard).is_open(), silences >= 3);
        }
    }
}
