//! The timers of one lane, in memory. Separate from the gate that decides when they may fire.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use chrono::{DateTime, Utc};

use crate::effects::TimerChange;
use crate::input::Timer;

/// A heap by due time; entries that were moved or cancelled are dropped when they surface.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(DateTime<Utc>, String)>>,
    set: HashMap<String, Timer>,
}

impl Timers {
    pub(crate) fn apply(&mut self, id: String, change: TimerChange) {
        match change {
            TimerChange::Set(timer) => self.set(timer),
            TimerChange::Cancel => {
                self.set.remove(&id);
            }
        }
    }

    pub(crate) fn set(&mut self, timer: Timer) {
        self.heap.push(Reverse((timer.due_at, timer.id.clone())));
        self.set.insert(timer.id.clone(), timer);
        self.shed_stale();
    }

    pub(crate) fn next_due(&mut self) -> Option<DateTime<Utc>> {
        loop {
            let Reverse((due_at, id)) = self.heap.peek()?;
            if self.set.get(id).is_some_and(|timer| timer.due_at == *due_at) {
                return Some(*due_at);
            }
            self.heap.pop();
        }
    }

    /// Takes out up to `max` timers due at or before `now`, oldest first.
    pub(crate) fn take_due(&mut self, now: DateTime<Utc>, max: usize) -> Vec<Timer> {
        let mut due = Vec::new();
        while due.len() < max && self.next_due().is_some_and(|at| at <= now) {
            if let Some(Reverse((_, id))) = self.heap.pop()
                && let Some(timer) = self.set.remove(&id)
            {
                due.push(timer);
            }
        }
        due
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }

    // Moved timers leave their old entries behind; when those outnumber the live ones, the heap is made anew.
    fn shed_stale(&mut self) {
        if self.heap.len() > 64 && self.heap.len() > 4 * self.set.len() {
            self.heap = self.set.values().map(|timer| Reverse((timer.due_at, timer.id.clone()))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(id: &str, at: i64) -> Timer {
        Timer::reminder(id, DateTime::from_timestamp(at, 0).unwrap(), None)
    }

    fn due(timers: &mut Timers, now: i64) -> Vec<String> {
        timers.take_due(DateTime::from_timestamp(now, 0).unwrap(), 10).into_iter().map(|timer| timer.id).collect()
    }

    #[test]
    fn a_moved_timer_fires_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(timer("a", 10));
        timers.set(timer("b", 11));
        timers.set(timer("a", 20));
        assert_eq!(due(&mut timers, 15), ["b"]);
        assert_eq!(due(&mut timers, 25), ["a"]);
        assert_eq!(due(&mut timers, 99), [] as [&str; 0]);
    }

    #[test]
    fn a_timer_moved_many_times_takes_no_more_room() {
        let mut timers = Timers::default();
        for at in 0..10_000 {
            timers.set(timer("a", at));
        }
        assert!(timers.heap.len() <= 65, "{}", timers.heap.len());
        assert_eq!(timers.len(), 1);
    }
}
