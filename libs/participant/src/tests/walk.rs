//! Every short story there is: all sequences of a few inputs, each told with a memory, without, and from snapshots. What holds for all of
//! them is the contract's core.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::booking::{How, Outcome, seat_stream};
use super::desk::Desk;
use super::letters::{book, unbook};

const LENGTH: u32 = 5;
const COUNT: u32 = 6;

type Step = fn(&mut Desk) -> Vec<String>;

const STEPS: [Step; COUNT as usize] = [
    |desk| desk.gets(book(1, "A", How::ByCall)),
    |desk| desk.gets(book(1, "A", How::ByCall).attempt(2)),
    |desk| desk.gets(unbook(2, How::ByCall).undoing(1)),
    |desk| desk.gets(unbook(2, How::ByCall).undoing(1).attempt(2)),
    |desk| if desk.jobs.is_empty() { Vec::new() } else { desk.hears_back(Outcome::Yes) },
    |desk| if desk.jobs.is_empty() { Vec::new() } else { desk.hears_back(Outcome::Busy) },
];

#[test]
fn every_short_story_keeps_the_contract() {
    for story in 0..COUNT.pow(LENGTH) {
        let steps: Vec<usize> = (0..LENGTH).map(|at| (story / COUNT.pow(at) % COUNT) as usize).collect();
        let remembering = tell(&steps, Desk::at(Arc::default(), false));
        let forgetful = tell(&steps, Desk::at(Arc::default(), true));
        assert_eq!(remembering, forgetful, "{steps:?}: memory must make no difference");
        let from_snapshots = tell(&steps, Desk::from_snapshots());
        assert_eq!(remembering, from_snapshots, "{steps:?}: nor must snapshots");
    }
}

fn tell(steps: &[usize], mut desk: Desk) -> (Vec<Vec<String>>, Vec<String>) {
    let mut told = Vec::new();
    for step in steps {
        told.push(STEPS[*step](&mut desk));
        undone_stays_undone(&told, steps);
    }
    one_id_is_one_event(&desk, steps);
    a_seat_is_taken_at_most_once(&desk, steps);
    (told, desk.history())
}

// Once the compensation was answered, whatever else is published is a repeat or a refusal.
fn undone_stays_undone(told: &[Vec<String>], steps: &[usize]) {
    let flat: Vec<&String> = told.iter().flatten().collect();
    let is_undone = |line: &String| line.starts_with("Unbooked");
    let Some(undone_at) = flat.iter().position(|line| is_undone(line)) else { return };
    for later in &flat[undone_at..] {
        let is_repeat = flat[..undone_at].contains(later);
        assert!(is_undone(later) || is_repeat || *later == "BookingFailed too late", "{steps:?}: {flat:?}");
    }
}

fn one_id_is_one_event(desk: &Desk, steps: &[usize]) {
    let mut seen = BTreeMap::new();
    for record in &desk.published {
        let first = seen.entry(desk.envelope(record).event_id).or_insert(record);
        assert_eq!(*first, record, "{steps:?}");
    }
}

fn a_seat_is_taken_at_most_once(desk: &Desk, steps: &[usize]) {
    let seat = desk.stream(&seat_stream("A"));
    assert!(seat.len() <= 2 && seat.iter().filter(|event| *event == "SeatTaken").count() <= 1, "{steps:?}: {seat:?}");
}
