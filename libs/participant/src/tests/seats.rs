//! Shared streams: never written past each other, read no further than needed.

use std::sync::Arc;

use super::booking::{How, seat_stream};
use super::desk::Desk;
use super::letters::{book, unbook};

#[test]
fn of_two_flows_in_one_batch_only_one_gets_the_seat() {
    let mut desk = Desk::at(Arc::default(), false);
    let letters = vec![book(1, "A", How::Now), book(2, "A", How::Now).of("0002-flow")];
    let told: Vec<_> = desk.gets_at_once(letters).into_iter().map(Result::unwrap).collect();
    assert_eq!(told, [["Booked A"], ["BookingFailed taken"]]);
}

#[test]
fn what_another_lane_did_to_the_seat_is_seen() {
    let mut here = Desk::at(Arc::default(), false);
    let mut there = Desk::at(Arc::clone(&here.store), false);
    here.gets(book(1, "A", How::Now));
    assert_eq!(there.gets(book(2, "A", How::Now).of("0002-flow")), ["BookingFailed taken"]);
    here.gets(unbook(3, How::Now).undoing(1));
    assert_eq!(there.gets(book(4, "A", How::Now).of("0003-flow")), ["Booked A"]);
    assert_eq!(here.gets(book(5, "A", How::Now).of("0004-flow")), ["BookingFailed taken"]);
}

#[test]
fn of_a_seat_in_memory_only_what_happened_since_is_read() {
    let mut here = Desk::at(Arc::default(), false);
    let mut there = Desk::at(Arc::clone(&here.store), false);
    here.gets(book(1, "A", How::Now));
    here.gets(unbook(2, How::Now).undoing(1));
    assert!(here.reads.is_empty(), "what this lane wrote it knows: {:?}", here.reads);
    there.gets(book(3, "A", How::Now).of("0003-flow"));
    here.gets(book(4, "A", How::Now).of("0004-flow"));
    assert_eq!(here.reads, [[format!("{} after 2", seat_stream("A"))]]);
}

#[test]
fn a_batch_that_was_not_written_never_happened() {
    let mut desk = Desk::at(Arc::default(), false);
    desk.gets(book(1, "A", How::Now));
    let input = desk.input(unbook(2, How::Now).undoing(1));
    desk.loads(std::slice::from_ref(&input));
    assert_eq!(desk.decides(&input), ["Unbooked A"]);
    desk.aborts();
    assert_eq!(desk.gets(book(3, "A", How::Now).of("0003-flow")), ["BookingFailed taken"]);
    assert_eq!(desk.gets(unbook(4, How::Now).undoing(1)), ["Unbooked A"]);
}

#[test]
fn a_batch_is_decided_again_from_the_start_without_the_input_that_made_it_fail() {
    let mut desk = Desk::at(Arc::default(), false);
    let inputs = [book(1, "A", How::Now), book(2, "A", How::Now).of("0002-flow")].map(|letter| desk.input(letter));
    desk.loads(&inputs);
    assert_eq!(desk.decides(&inputs[0]), ["Booked A"]);
    desk.aborts();
    assert_eq!(desk.decides(&inputs[1]), ["Booked A"]);
    desk.commits();
    assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken"]);
    assert!(desk.history().is_empty(), "the first never happened");
}
