//! Inputs that cannot be handled: they are rejected and leave nothing behind, and the others go on.

use std::sync::Arc;

use backstitch_event_store::{AppendRequest, ExpectedVersion, StreamId, contract};

use super::booking::{How, flow_stream, seat_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, shout};

fn spoil(desk: &Desk, stream: StreamId) {
    let event = contract::event("WrittenByNobodyWeKnow");
    desk.store.append_now(AppendRequest::new().write(stream, ExpectedVersion::Any, vec![event])).unwrap();
}

#[test]
fn a_seat_that_was_not_named_can_be_neither_seen_nor_taken() {
    Desk::each(|mut desk| {
        let rejection = desk.try_gets(book(1, "A", How::Peeking)).unwrap_err();
        assert_eq!(rejection.reason, "undeclared-stream");
        assert!(rejection.detail.contains("seat-elsewhere"), "{rejection}");
        assert!(desk.history().is_empty());
    });
}

#[test]
fn an_event_that_its_schema_does_not_know_leaves_nothing_behind() {
    Desk::each(|mut desk| {
        let rejection = desk.try_gets(book(1, "unencodable", How::Unencodable)).unwrap_err();
        assert_eq!(rejection.reason, "unencodable");
        assert!(desk.history().is_empty());
        assert!(desk.stream(&seat_stream("unencodable")).is_empty());
        assert!(desk.timers.is_empty());
    });
}

#[test]
fn a_stream_that_cannot_be_read_stops_its_own_flow_only() {
    let mut desk = Desk::at(Arc::default(), true);
    spoil(&desk, flow_stream(FLOW));
    let told = desk.gets_at_once(vec![book(1, "A", How::Now).attempt(2), book(2, "A", How::Now).of("0002-flow")]);
    assert_eq!(told[0].as_ref().unwrap_err().reason, "unreadable-stream");
    assert_eq!(told[1].as_ref().unwrap(), &["Booked A"]);
}

#[test]
fn a_shared_stream_that_cannot_be_read_stops_those_that_want_it() {
    let mut desk = Desk::at(Arc::default(), true);
    spoil(&desk, seat_stream("A"));
    let told = desk.gets_at_once(vec![book(1, "A", How::Now), book(2, "B", How::Now).of("0002-flow")]);
    let rejection = told[0].as_ref().unwrap_err();
    assert_eq!(rejection.reason, "unreadable-stream");
    assert!(rejection.detail.contains("WrittenByNobodyWeKnow"), "{rejection}");
    assert_eq!(told[1].as_ref().unwrap(), &["Booked B"]);
}

#[test]
fn a_rejected_command_of_a_flow_taken_for_new_does_not_make_it_new() {
    let mut desk = Desk::at(Arc::default(), false);
    desk.gets(book(1, "A", How::Now));
    desk.restart();
    desk.try_gets(book(2, "B", How::Peeking)).unwrap_err();
    assert_eq!(desk.gets(shout(3, "fire")), ["Unbooked A"]);
}
