//! How far participants are behind with what they were asked, and when they will have caught up: looked up at the broker,
//! since who answers need not be a program of ours. Separate from circuit breakers, which go by silence alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use backstitch_messaging_kafka::{Backlog, Backlogs};
use backstitch_service_kit::ShutdownToken;

/// How often the broker is asked. Consumers of ours report where they are every two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What "of late" means: the pace is that of this time.
const OF_LATE: Duration = Duration::from_secs(12);

/// What was read within this time may not be seen as read yet: two seconds until it is reported, two until that is seen.
const UNSEEN: Duration = Duration::from_secs(4);

/// What is known of each topic of commands.
#[derive(Debug, Default)]
pub struct Courses(RwLock<BTreeMap<String, Course>>);

impl Courses {
    /// What is known of that topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> Option<Estimate> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(topic).and_then(Course::estimate)
    }

    fn note(&self, backlogs: BTreeMap<String, Backlog>, at: Instant) {
        let mut courses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        courses.retain(|topic, _| backlogs.contains_key(topic));
        for (topic, backlog) in backlogs {
            courses.entry(topic).or_default().note(backlog, at);
        }
    }
}

/// How a participant gets on.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The consumer group.
    pub group: String,
    /// Commands not read yet.
    pub backlog: i64,
    /// Commands read in a second, of late.
    pub read_per_second: Option<f64>,
    /// Seconds until it has caught up; none where it does not gain on what comes.
    pub eta_seconds: Option<f64>,
}

/// What was seen of one topic of late, oldest first.
#[derive(Debug, Default)]
struct Course(VecDeque<(Instant, Backlog)>);

impl Course {
    fn note(&mut self, backlog: Backlog, at: Instant) {
        let other_group = self.0.back().is_some_and(|(_, last)| last.group != backlog.group);
        // One that was down and is back: what it did before says nothing of how fast it is now.
        let stood =
            self.0.len() > 1 && self.0.iter().all(|(_, seen)| Some(seen.read) == self.0.front().map(|(_, it)| it.read));
        let back = stood && self.0.back().is_some_and(|(_, last)| last.read < backlog.read);
        if other_group {
            self.0.clear();
        } else if back {
            self.0.drain(..self.0.len() - 1);
        }
        self.0.push_back((at, backlog));
        while self.0.get(1).is_some_and(|(second, _)| at.saturating_duration_since(*second) >= OF_LATE) {
            self.0.pop_front();
        }
    }

    fn estimate(&self) -> Option<Estimate> {
        let ((since, first), (until, last)) = (self.0.front()?, self.0.back()?);
        let seconds = until.saturating_duration_since(*since).as_secs_f64();
        let pace = |from: i64, to: i64| (seconds > 0.0).then(|| to.saturating_sub(from) as f64 / seconds);
        let read_per_second = pace(first.read, last.read);
        let gain = pace(first.read - first.end, last.read - last.end);
        let backlog = last.records();
        let eta_seconds = match gain {
            _ if backlog == 0 || read_per_second.is_some_and(|pace| backlog as f64 <= pace * UNSEEN.as_secs_f64()) => {
                Some(0.0)
            }
            Some(gain) if gain > 0.0 => Some(backlog as f64 / gain),
            _ => None,
        };
        Some(Estimate { group: last.group.clone(), backlog, read_per_second, eta_seconds })
    }
}

/// Asks the broker until `stop`. While it does not answer, nothing is known.
pub async fn look(courses: Arc<Courses>, backlogs: Backlogs, topics: BTreeSet<String>, stop: ShutdownToken) {
    loop {
        match backlogs.look(&topics).await {
            Ok(found) => courses.note(found, Instant::now()),
            Err(error) => {
                tracing::debug!(%error, "how far participants have come is not known");
                courses.note(BTreeMap::new(), Instant::now());
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    // Its clients take a tenth of a second each to end, and lanes that are to be handed over must not wait for that.
    tokio::task::spawn_blocking(move || drop(backlogs));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every two seconds: where the topic ends, and where its reader is.
    fn seen(figures: &[(i64, i64)]) -> Course {
        let mut course = Course::default();
        let mut at = Instant::now();
        for (end, read) in figures {
            course.note(Backlog { group: "payment".to_owned(), end: *end, read: *read }, at);
            at += Duration::from_secs(2);
        }
        course
    }

    fn told(figures: &[(i64, i64)]) -> (i64, Option<f64>, Option<f64>) {
        let estimate = seen(figures).estimate().unwrap();
        (estimate.backlog, estimate.read_per_second, estimate.eta_seconds)
    }

    #[test]
    fn who_gains_on_what_comes_has_caught_up_when_the_gain_makes_up_for_the_backlog() {
        // 300 a second come, 500 are read.
        assert_eq!(told(&[(10_000, 0), (10_600, 1_000), (11_200, 2_000)]), (9_200, Some(500.0), Some(46.0)));
    }

    #[test]
    fn who_is_down_or_too_slow_has_no_time_of_catching_up() {
        assert_eq!(told(&[(100, 50)]), (50, None, None));
        assert_eq!(told(&[(100, 50), (200, 50)]), (150, Some(0.0), None));
        assert_eq!(told(&[(100, 50), (200, 60)]), (140, Some(5.0), None));
    }

    #[test]
    fn who_has_read_all_is_done_now() {
        assert_eq!(told(&[(100, 50), (100, 100)]), (0, Some(25.0), Some(0.0)));
    }

    #[test]
    fn what_may_only_not_be_seen_as_read_yet_is_no_delay() {
        assert_eq!(told(&[(100, 0), (400, 190), (800, 600)]), (200, Some(150.0), Some(0.0)));
    }

    #[test]
    fn the_time_it_was_down_does_not_count_for_one_that_is_back() {
        assert_eq!(told(&[(900, 50), (900, 50), (900, 50), (900, 250)]), (650, Some(100.0), Some(6.5)));
    }

    #[test]
    fn only_what_happened_of_late_counts() {
        let slow_then_fast = [0, 2, 4, 6, 8, 10, 110, 210, 310, 410, 510, 610].map(|read| (10_000, read));
        assert_eq!(told(&slow_then_fast).1, Some(50.0));
    }
}
