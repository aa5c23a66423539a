//! External calls: answered later, settled before they are undone, never made twice.

use super::booking::{How, Outcome, seat_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, unbook};

#[test]
fn a_command_that_needs_a_call_is_answered_when_the_call_is() {
    Desk::each(|mut desk| {
        assert!(desk.gets(book(1, "A", How::ByCall)).is_empty());
        assert!(desk.gets(book(1, "A", How::ByCall)).is_empty(), "a repeat meanwhile waits too");
        assert!(desk.gets(book(1, "A", How::ByCall).attempt(2)).is_empty(), "so does a higher try");
        assert_eq!(desk.jobs.len(), 1);
        assert_eq!(desk.jobs[0].id, format!("{}-1", uuid::Uuid::from_u128(1)));
        assert_eq!(desk.jobs[0].kind, "Ask");
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A"]);
        assert_eq!(desk.gets(book(1, "A", How::ByCall)), ["Booked A"]);
        assert_eq!(desk.published[0], desk.published[1]);
        let envelope = desk.envelope(&desk.published[0]);
        assert_eq!(envelope.causation_id, Some(uuid::Uuid::from_u128(1)));
        assert_eq!(envelope.correlation_id, uuid::Uuid::from_u128(77));
        assert_eq!(envelope.user_id.as_deref(), Some("ada"));
        assert_eq!(desk.jobs.len(), 1);
    });
}

#[test]
fn another_try_is_another_call_with_another_key() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        assert_eq!(desk.hears_back(Outcome::Busy), ["BookingFailed busy"]);
        desk.gets(book(1, "A", How::ByCall).attempt(2));
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A"]);
        let keys: Vec<_> = desk.jobs.iter().map(|job| job.id.rsplit_once('-').unwrap().1).collect();
        assert_eq!(keys, ["1", "2"]);
    });
}

#[test]
fn a_second_call_of_one_try_has_a_key_of_its_own() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        assert!(desk.hears_back(Outcome::AskAgain).is_empty());
        assert!(desk.gets(book(1, "A", How::ByCall)).is_empty());
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A"]);
        let key = format!("{}-1", uuid::Uuid::from_u128(1));
        assert_eq!(desk.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>(), [key.clone(), format!("{key}-1")]);
    });
}

#[test]
fn an_outcome_that_nobody_waits_for_changes_nothing() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        let first = desk.jobs[0].clone();
        desk.hears_back(Outcome::Busy);
        desk.gets(book(1, "A", How::ByCall).attempt(2));
        let history = desk.history();
        assert!(desk.hears_back_of(first.clone(), Outcome::Yes).is_empty(), "it answers an older try");
        assert_eq!(desk.history(), history);
        assert_eq!(desk.hears_back(Outcome::No), ["BookingFailed no"]);
        assert!(desk.hears_back(Outcome::Yes).is_empty(), "it was answered already");
        assert_eq!(desk.stream(&seat_stream("A")), [] as [&str; 0]);
    });
}

#[test]
fn a_compensation_that_overtakes_the_outcome_waits_for_it_and_undoes_it() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        assert!(desk.gets(unbook(2, How::Now).undoing(1)).is_empty());
        assert!(desk.gets(unbook(2, How::Now).undoing(1)).is_empty());
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A", "Unbooked A"]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken", "SeatFreed"]);
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
        let causes: Vec<_> = desk.published.iter().map(|record| desk.envelope(record).causation_id).collect();
        assert_eq!(causes, [1, 2, 2].map(|id| Some(uuid::Uuid::from_u128(id))));
        assert_eq!(desk.jobs.len(), 1);
    });
}

#[test]
fn a_compensation_that_overtakes_a_refusal_finds_nothing_to_undo() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        desk.gets(unbook(2, How::Now));
        assert_eq!(desk.hears_back(Outcome::No), ["BookingFailed no", "Unbooked none"]);
        assert_eq!(desk.gets(book(1, "A", How::ByCall).attempt(2)), ["BookingFailed no"]);
    });
}

#[test]
fn no_new_try_is_begun_once_a_compensation_has_overtaken_the_call() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        desk.gets(unbook(2, How::Now).undoing(1));
        assert!(desk.gets(book(1, "A", How::ByCall).attempt(2)).is_empty());
        assert_eq!(desk.hears_back(Outcome::Busy), ["BookingFailed busy", "Unbooked none"]);
        assert_eq!(desk.gets(book(1, "A", How::ByCall).attempt(2)), ["BookingFailed too late"]);
        assert_eq!(desk.jobs.len(), 1);
    });
}

#[test]
fn a_compensation_waits_for_the_whole_of_a_try_of_several_calls() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        desk.gets(unbook(2, How::Now).undoing(1));
        assert!(desk.hears_back(Outcome::AskAgain).is_empty());
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A", "Unbooked A"]);
    });
}

#[test]
fn a_compensation_may_need_a_call_itself_and_two_of_them_make_one_call() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert!(desk.gets(unbook(2, How::ByCall).undoing(1)).is_empty());
        assert!(desk.gets(unbook(3, How::ByCall)).is_empty(), "another sender's waits for the first");
        assert_eq!(desk.jobs.len(), 1);
        assert_eq!(desk.hears_back(Outcome::Yes), ["Unbooked A", "Unbooked none"]);
        assert_eq!(desk.jobs.len(), 1);
    });
}

#[test]
fn a_compensation_that_may_be_tried_again_is() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.gets(unbook(2, How::ByCall).undoing(1));
        assert_eq!(desk.hears_back(Outcome::Busy), ["BookingFailed busy"]);
        assert_eq!(desk.gets(unbook(2, How::ByCall).undoing(1)), ["BookingFailed busy"]);
        assert!(desk.gets(unbook(2, How::ByCall).undoing(1).attempt(2)).is_empty());
        assert_eq!(desk.hears_back(Outcome::Yes), ["Unbooked A"]);
    });
}

#[test]
fn a_call_overtaken_by_its_compensation_settles_both_by_calls() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::ByCall));
        desk.gets(unbook(2, How::ByCall).undoing(1));
        assert_eq!(desk.hears_back(Outcome::Yes), ["Booked A"]);
        assert_eq!(desk.jobs.len(), 2, "now the seat is given back by a call");
        assert_eq!(desk.hears_back(Outcome::Yes), ["Unbooked A"]);
        assert!(desk.jobs.iter().all(|job| job.payload["stream"] == format!("booking-{FLOW}")));
    });
}
