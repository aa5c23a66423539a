//! The times at which a participant's circuit breaker was open, and what they do to a deadline.
//!
//! Separate because this is arithmetic on time alone: the same wherever and however often it is done, also after a
//! restart.

use std::time::Duration;

use crate::cause::By;
use crate::time::Timestamp;

/// One time at which a breaker was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its beginning.
    pub opened_at: Timestamp,
    /// Its end; absent while it lasts.
    pub closed_at: Option<Timestamp>,
    /// The person who opened it; absent when silence did.
    pub by: Option<By>,
}

/// The openings of one participant's breaker, in order of time and none within another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings(Vec<Opening>);

impl Openings {
    /// These, in any order. Where two overlap, because two processes had seen different things, they are one.
    #[must_use]
    pub fn new(mut openings: Vec<Opening>) -> Self {
        openings.sort_by_key(|opening| opening.opened_at);
        let mut apart: Vec<Opening> = Vec::with_capacity(openings.len());
        for opening in openings {
            match apart.last_mut() {
                Some(last) if last.closed_at.is_none_or(|closed_at| opening.opened_at <= closed_at) => {
                    last.closed_at = last.closed_at.zip(opening.closed_at).map(|(one, other)| one.max(other));
                    last.by = last.by.take().or(opening.by);
                }
                _ => apart.push(opening),
            }
        }
        Self(apart)
    }

    /// The one that lasts, if the breaker is open.
    #[must_use]
    pub fn current(&self) -> Option<&Opening> {
        self.0.last().filter(|opening| opening.closed_at.is_none())
    }

    /// For how long the breaker was open between two times.
    #[must_use]
    pub fn open_time(&self, from: Timestamp, to: Timestamp) -> Duration {
        // In order and apart, so the ends are in order too: what ended before `from` is passed over.
        let first = self.0.partition_point(|opening| opening.closed_at.is_some_and(|closed_at| closed_at <= from));
        let touched = self.0[first..].iter().take_while(|opening| opening.opened_at < to);
        touched.map(|opening| opening.closed_at.unwrap_or(to).min(to).since(opening.opened_at.max(from))).sum()
    }

    /// When an attempt's time is really up, as seen at `now`: its deadline, moved by the time that the breaker was open
    /// since the attempt began. `None` while the breaker is open: the attempt's clock stands still.
    #[must_use]
    pub fn effective(&self, began: Timestamp, deadline: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self.current() {
            Some(_) => None,
            None => Some(deadline.plus(self.open_time(began, now))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn opening(from: i64, to: Option<i64>) -> Opening {
        Opening { opened_at: at(from), closed_at: to.map(at), by: None }
    }

    fn openings() -> impl Strategy<Value = Vec<Opening>> {
        let one = (0..1_000_i64, 0..200_i64).prop_map(|(from, lasts)| opening(from, Some(from + lasts)));
        proptest::collection::vec(one, 0..12)
    }

    #[test]
    fn a_deadline_moves_by_the_time_that_the_breaker_was_open() {
        let openings = Openings::new(vec![opening(110, Some(130)), opening(150, Some(155)), opening(20, Some(105))]);
        assert_eq!(openings.effective(at(100), at(140), at(120)), Some(at(140 + 5 + 10)));
        assert_eq!(openings.effective(at(100), at(140), at(200)), Some(at(140 + 5 + 20 + 5)));
    }

    #[test]
    fn while_the_breaker_is_open_nothing_is_due() {
        let openings = Openings::new(vec![opening(10, Some(20)), opening(30, None)]);
        assert_eq!(openings.effective(at(0), at(5), at(1_000_000)), None);
        assert_eq!(openings.open_time(at(0), at(40)), Duration::from_micros(20));
    }

    proptest! {
        #[test]
        fn time_is_counted_once_however_openings_overlap(all in openings(), from in 0..1_300_i64, lasts in 0..400_i64) {
            let to = from + lasts;
            let inside = |moment: i64| all.iter().any(|opening| {
                opening.opened_at <= at(moment) && opening.closed_at.is_some_and(|closed_at| at(moment) < closed_at)
            });
            let counted = (from..to).filter(|moment| inside(*moment)).count();
            let open = Openings::new(all.clone()).open_time(at(from), at(to));
            prop_assert_eq!(open.as_micros(), counted as u128);
        }

        #[test]
        fn the_order_in_which_openings_are_read_does_not_matter(all in openings(), first in any::<prop::sample::Index>()) {
            let mut turned = all.clone();
            if !turned.is_empty() {
                let by = first.index(turned.len());
                turned.rotate_left(by);
            }
            prop_assert_eq!(Openings::new(all), Openings::new(turned));
        }

        #[test]
        fn a_deadline_never_comes_nearer(all in openings(), began in 0..500_i64, lasts in 0..500_i64, now in 0..2_000_i64) {
            let openings = Openings::new(all);
            let deadline = at(began + lasts);
            let sooner = openings.effective(at(began), deadline, at(now));
            let later = openings.effective(at(began), deadline, at(now + 100));
            prop_assert!(sooner >= Some(deadline) && later >= sooner);
        }

        #[test]
        fn an_attempt_has_all_its_time_while_the_breaker_is_closed(all in openings(), began in 0..500_i64, lasts in 1..300_i64) {
            let openings = Openings::new(all);
            let deadline = at(began + lasts);
            // Time passes until the attempt is due: it is then found out how much of it the breaker was closed.
            let due = (began..).find(|now| openings.effective(at(began), deadline, at(*now)) <= Some(at(*now)));
            let due = due.map_or(deadline, at);
            let closed = due.since(at(began)).saturating_sub(openings.open_time(at(began), due));
            prop_assert!(closed >= Duration::from_micros(lasts.unsigned_abs()));
        }
    }
}
