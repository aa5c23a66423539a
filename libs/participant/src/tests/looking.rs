//! What an onlooker sees of streams.

use std::sync::Arc;

use backstitch_event_store::{StoredEvent, StreamId, StreamVersion};

use super::booking::{Booking, How, Outcome, flow_stream, seat_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, shout, unbook};
use crate::{published, shared_state_of, state_of};

fn events(desk: &Desk, stream: StreamId) -> Vec<StoredEvent> {
    desk.store.load_now(&[(stream, StreamVersion::NONE)])
}

#[test]
fn an_onlooker_sees_the_states_without_the_librarys_notes() {
    let mut desk = Desk::at(Arc::default(), false);
    desk.gets(book(1, "A", How::Silently));
    assert!(state_of(&Booking, &events(&desk, flow_stream(FLOW))).unwrap().is_none(), "only a note so far");
    desk.gets(book(2, "B", How::Now));
    let state = state_of(&Booking, &events(&desk, flow_stream(FLOW))).unwrap().unwrap();
    assert_eq!(state.seat.as_deref(), Some("B"));
    let seat = shared_state_of(&Booking, &events(&desk, seat_stream("B"))).unwrap().unwrap();
    assert_eq!(seat.taken_by.as_deref(), Some(FLOW));
    assert!(shared_state_of(&Booking, &events(&desk, seat_stream("C"))).unwrap().is_none());
}

#[test]
fn an_onlooker_sees_what_was_undone_as_undone() {
    let mut desk = Desk::at(Arc::default(), false);
    desk.gets(book(1, "A", How::Now));
    desk.gets(unbook(2, How::Now).undoing(1));
    let state = state_of(&Booking, &events(&desk, flow_stream(FLOW))).unwrap().unwrap();
    assert_eq!(state.seat, None);
}

#[test]
fn a_reader_of_the_store_sees_what_was_published_as_it_was_published() {
    let mut desk = Desk::at(Arc::default(), false);
    desk.gets(book(1, "A", How::ByCall));
    desk.hears_back(Outcome::Yes);
    desk.gets(shout(2, "listen"));
    desk.gets(unbook(3, How::Now).undoing(1));
    let stored = events(&desk, flow_stream(FLOW));
    assert_eq!(stored.len(), 4, "a note, a private event, and two that are published");
    let told: Vec<_> = stored.iter().filter_map(published::<Booking>).collect();
    let from_topic: Vec<_> = desk.published.iter().map(|record| desk.envelope(record)).collect();
    assert_eq!(told, from_topic);
}
