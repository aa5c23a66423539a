//! What lanes tell of participants, and what the rows say.

use std::time::Duration;

use backstitch_saga::participant::{BreakerRules, Heard, Opening, Openings};
use backstitch_saga::{By, Timestamp};

use super::{Change, Participants};

const TOPIC: &str = "payments.commands";

fn participants() -> Participants {
    Participants::new(BreakerRules { silences_max: 2, probe_after: Duration::from_secs(30) })
}

const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn opening(from: i64, to: Option<i64>, by: Option<By>) -> (String, Opening) {
    (TOPIC.to_owned(), Opening { opened_at: at(from), closed_at: to.map(at), by })
}

fn is_open(participants: &Participants) -> bool {
    participants.clocks().of(TOPIC).and_then(Openings::current).is_some()
}

#[test]
fn silences_of_all_lanes_count_together_and_are_written_once() {
    let participants = participants();
    assert!(!participants.listens());
    participants.hear(TOPIC, Heard::Silence, at(1));
    assert!(participants.listens());
    participants.hear(TOPIC, Heard::Silence, at(2));
    participants.hear(TOPIC, Heard::Silence, at(3));
    let unwritten = participants.take_unwritten();
    assert_eq!(unwritten.get(TOPIC), Some(&(Change::Opens, at(2))));
    assert!(participants.take_unwritten().is_empty());
}

#[test]
fn clocks_stand_still_once_the_row_says_so_and_run_when_it_does() {
    let participants = participants();
    participants.learn(vec![opening(5, None, None)]);
    assert!(is_open(&participants) && participants.listens());
    participants.learn(vec![opening(5, Some(9), None)]);
    assert!(!is_open(&participants) && !participants.listens() && !participants.clocks().are_quiet());
    participants.learn(Vec::new());
    assert!(participants.clocks().are_quiet());
}

#[test]
fn an_answer_closes_what_another_process_has_opened() {
    let participants = participants();
    participants.learn(vec![opening(5, None, None)]);
    participants.hear(TOPIC, Heard::Answer, at(6));
    assert_eq!(participants.take_unwritten().get(TOPIC), Some(&(Change::Closes, at(6))));
}

#[test]
fn an_answer_does_not_close_what_a_person_has_opened() {
    let participants = participants();
    participants.learn(vec![opening(5, None, Some(By::who("ann")))]);
    participants.hear(TOPIC, Heard::Answer, at(6));
    assert!(participants.take_unwritten().is_empty());
}

#[test]
fn a_change_that_could_not_be_written_is_kept_unless_a_newer_one_has_come() {
    let participants = participants();
    participants.hear(TOPIC, Heard::Silence, at(1));
    participants.hear(TOPIC, Heard::Silence, at(2));
    let unwritten = participants.take_unwritten();
    participants.hear(TOPIC, Heard::Answer, at(3));
    participants.give_back(unwritten);
    assert_eq!(participants.take_unwritten().get(TOPIC), Some(&(Change::Closes, at(3))));
}

#[test]
fn silences_are_not_forgotten_when_the_rows_are_read() {
    let participants = participants();
    participants.hear(TOPIC, Heard::Silence, at(1));
    participants.learn(Vec::new());
    participants.hear(TOPIC, Heard::Silence, at(2));
    assert_eq!(participants.take_unwritten().get(TOPIC), Some(&(Change::Opens, at(2))));
}
