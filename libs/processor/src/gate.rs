//! When a due timer may fire: only once the lane has consumed what was waiting in its topics at or after the due time.
//! So a reply that was already there when its deadline passed is always seen first, however long the lane was away.

use std::collections::BTreeMap;

use backstitch_messaging::TopicPartition;
use chrono::{DateTime, Utc};

/// How far the lane has come in each of its partitions.
pub type Positions = BTreeMap<TopicPartition, i64>;

/// The state of the question "has everything that came before been seen?".
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nothing is due.
    #[default]
    Closed,
    /// The broker was asked for its end offsets at this time.
    Asking { asked_at: DateTime<Utc> },
    /// Timers due at or before `asked_at` fire once these offsets are reached.
    Waiting { asked_at: DateTime<Utc>, ends: Vec<(TopicPartition, i64)> },
}

impl Gate {
    /// The time up to which timers may fire now, if the lane has come far enough; the gate closes with that.
    pub(crate) fn pass(&mut self, consumed: &Positions) -> Option<DateTime<Utc>> {
        let Self::Waiting { asked_at, ends } = self else { return None };
        let reached =
            |(source, end): &(TopicPartition, i64)| *end <= 0 || consumed.get(source).is_some_and(|at| at >= end);
        if !ends.iter().all(reached) {
            return None;
        }
        let up_to = *asked_at;
        *self = Self::Closed;
        Some(up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_timer_waits_for_the_replies_that_were_there_before_it() {
        let now = DateTime::from_timestamp(100, 0).unwrap();
        let replies = TopicPartition::new("payments.events", 0);
        let quiet = TopicPartition::new("orders.events", 0);
        let mut gate = Gate::Waiting { asked_at: now, ends: vec![(replies.clone(), 7), (quiet, 0)] };
        let mut consumed = Positions::from([(replies.clone(), 6)]);
        assert_eq!(gate.pass(&consumed), None);
        consumed.insert(replies, 7);
        assert_eq!(gate.pass(&consumed), Some(now));
        assert_eq!(gate, Gate::Closed);
    }
}
