//! Compensations: of what was done, of what was not, and before it comes.

use super::booking::{How, seat_stream};
use super::desk::Desk;
use super::letters::{book, unbook};

#[test]
fn what_was_done_is_undone_once() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
        assert_eq!(desk.published[1], desk.published[2]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken", "SeatFreed"]);
    });
}

#[test]
fn a_second_compensation_of_the_same_finds_nothing_to_undo() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.gets(unbook(2, How::Now).undoing(1));
        assert_eq!(desk.gets(unbook(3, How::Now).undoing(1)), ["Unbooked none"]);
        assert_eq!(desk.gets(unbook(4, How::Now)), ["Unbooked none"]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken", "SeatFreed"]);
    });
}

#[test]
fn a_compensation_of_what_never_came_succeeds_and_the_late_command_is_refused() {
    Desk::each(|mut desk| {
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked none"]);
        assert_eq!(desk.history(), ["backstitch.CommandTombstoned", "Unbooked"]);
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["BookingFailed too late"]);
        assert_eq!(desk.gets(book(1, "A", How::Now).attempt(2)), ["BookingFailed too late"]);
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked none"]);
        assert_eq!(desk.published[1], desk.published[2]);
        assert_eq!(desk.published[0], desk.published[3]);
        assert!(desk.stream(&seat_stream("A")).is_empty());
    });
}

#[test]
fn a_tombstone_that_names_a_command_refuses_that_one_only() {
    Desk::each(|mut desk| {
        desk.gets(unbook(2, How::Now).undoing(1));
        assert_eq!(desk.gets(book(5, "A", How::Now)), ["Booked A"]);
    });
}

#[test]
fn a_compensation_that_names_another_command_leaves_this_one_alone() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(5)), ["Unbooked none"]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken"]);
    });
}

#[test]
fn a_sender_without_our_headers_is_understood_by_the_types_of_its_commands() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.gets(unbook(2, How::Now)), ["Unbooked A"]);
    });
    Desk::each(|mut desk| {
        assert_eq!(desk.gets(unbook(2, How::Now)), ["Unbooked none"]);
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["BookingFailed too late"]);
    });
}

#[test]
fn after_a_refusal_there_is_nothing_to_undo_and_nothing_to_keep_from_being_done() {
    Desk::each(|mut desk| {
        desk.gets(book(9, "A", How::Now).of("0002-flow"));
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["BookingFailed taken"]);
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked none"]);
        assert_eq!(desk.history(), ["BookingFailed", "Unbooked"]);
        assert_eq!(desk.gets(book(1, "A", How::Now).attempt(2)), ["BookingFailed taken"]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken"], "the other flow's");
    });
}

#[test]
fn a_retryable_answer_is_nothing_to_undo_and_no_higher_try_is_begun_after_it() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::OnSecondTry));
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked none"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry)), ["BookingFailed busy"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry).attempt(2)), ["BookingFailed too late"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry).attempt(3)), ["BookingFailed too late"]);
    });
}

#[test]
fn a_forward_command_repeated_after_its_compensation_tells_what_it_told() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.gets(unbook(2, How::Now).undoing(1));
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["Booked A"]);
        assert_eq!(desk.published[0], desk.published[2]);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken", "SeatFreed"], "and does not do it again");
    });
}
