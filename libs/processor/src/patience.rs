//! Messages that nobody waits for, kept back a moment so that they share a transaction with what comes next. Separate
//! from the loop, which must not forget any of it.

use std::time::Duration;

use backstitch_messaging::TopicPartition;
use tokio::time::Instant;

use crate::decode::Work;

/// How long they are kept back at most: no more than what a timer may be late.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is kept back, in the order of its arrival, and how far was read meanwhile.
#[derive(Default)]
pub(crate) struct KeptBack {
    work: Vec<Work>,
    marks: Vec<(TopicPartition, i64)>,
    until: Option<Instant>,
}

/// What is to be dealt with now.
#[derive(Default)]
pub(crate) struct Due {
    pub(crate) work: Vec<Work>,
    /// Read up to here, once the work is done.
    pub(crate) marks: Vec<(TopicPartition, i64)>,
}

impl KeptBack {
    /// Takes in what has arrived. Everything is due, in order, as soon as something cannot wait, has waited long enough, or
    /// too much has gathered.
    pub(crate) fn join(&mut self, arrived: Due, work_max: usize, now: Instant) -> Due {
        let begins = arrived.work.iter().any(Work::is_of_use);
        let is_overdue = self.until.is_some_and(|until| until <= now);
        let has_room = self.work.len() + arrived.work.len() < work_max;
        let can_wait = !is_overdue && has_room && arrived.work.iter().all(Work::can_wait);
        let has_company = !self.work.is_empty() || (begins && can_wait);
        if !has_company {
            return arrived;
        }
        // Also what is passed over: it must not be counted as read before what was read earlier.
        self.work.extend(arrived.work);
        self.marks.extend(arrived.marks);
        if can_wait {
            self.until.get_or_insert(now + PATIENCE);
            return Due::default();
        }
        let Self { work, marks, until: _ } = std::mem::take(self);
        Due { work, marks }
    }

    /// When what is kept back is due by itself.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::decode::Task;
    use crate::input::{Input, Timer};

    fn source() -> TopicPartition {
        TopicPartition::new("orders.events", 0)
    }

    fn read(task: Task, offset: i64, is_patient: bool) -> Work {
        Work { task, forward_to: Vec::new(), progress: Some((source(), offset + 1)), is_patient }
    }

    fn of_use(offset: i64, is_patient: bool) -> Work {
        let timer = Timer::reminder(offset.to_string(), DateTime::UNIX_EPOCH, None);
        read(Task::Decide(Input::Timer(timer)), offset, is_patient)
    }

    fn arrived(work: impl IntoIterator<Item = Work>) -> Due {
        Due { work: work.into_iter().collect(), marks: Vec::new() }
    }

    fn nexts(due: &Due) -> Vec<i64> {
        due.work.iter().filter_map(|work| Some(work.progress.as_ref()?.1)).collect()
    }

    #[test]
    fn what_nobody_waits_for_is_due_with_the_first_that_somebody_does_and_in_order() {
        let (mut kept, now) = (KeptBack::default(), Instant::now());
        assert_eq!(nexts(&kept.join(arrived([of_use(1, true)]), 10, now)), [0_i64; 0]);
        assert_eq!(nexts(&kept.join(arrived([of_use(2, true)]), 10, now)), [0_i64; 0]);
        assert_eq!(nexts(&kept.join(arrived([of_use(3, false)]), 10, now)), [2, 3, 4]);
        assert_eq!(kept.until(), None);
    }

    #[test]
    fn by_itself_it_is_due_after_a_tenth_of_a_second_from_the_first_of_it() {
        let (mut kept, now) = (KeptBack::default(), Instant::now());
        let _ = kept.join(arrived([of_use(1, true)]), 10, now);
        let _ = kept.join(arrived([of_use(2, true)]), 10, now + PATIENCE / 2);
        assert_eq!(kept.until(), Some(now + PATIENCE));
        assert_eq!(nexts(&kept.join(Due::default(), 10, now + PATIENCE / 2)), [0_i64; 0]);
        assert_eq!(nexts(&kept.join(Due::default(), 10, now + PATIENCE)), [2, 3]);
    }

    #[test]
    fn a_full_batch_waits_for_nobody() {
        let (mut kept, now) = (KeptBack::default(), Instant::now());
        let _ = kept.join(arrived([of_use(1, true)]), 2, now);
        assert_eq!(nexts(&kept.join(arrived([of_use(2, true)]), 2, now)), [2, 3]);
    }

    #[test]
    fn nothing_counts_as_read_before_what_was_read_earlier() {
        let (mut kept, now) = (KeptBack::default(), Instant::now());
        let _ = kept.join(arrived([of_use(1, true)]), 10, now);
        let passed_over = Due { marks: vec![(source(), 3)], ..arrived([read(Task::Pass, 2, true)]) };
        let due = kept.join(passed_over, 10, now);
        assert_eq!((nexts(&due), due.marks), (vec![], vec![]));
        let due = kept.join(Due::default(), 10, now + PATIENCE);
        assert_eq!((nexts(&due), due.marks), (vec![2, 3], vec![(source(), 3)]));
    }

    #[test]
    fn what_is_passed_over_alone_is_not_kept() {
        let (mut kept, now) = (KeptBack::default(), Instant::now());
        assert_eq!(nexts(&kept.join(arrived([read(Task::Pass, 1, true)]), 10, now)), [2]);
        assert_eq!(kept.until(), None);
    }
}
