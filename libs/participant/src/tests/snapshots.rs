//! Snapshots: used where they are of use, passed over where they are not, and taken when they are due.

use std::num::NonZeroU64;

use backstitch_event_store::{Snapshot, StreamVersion};
use serde_json::json;

use super::booking::{Booking, How, flow_stream, seat_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, unbook};
use crate::Snapshots;
use crate::load::{own_form, shared_form};
use crate::place::Folded as _;
use crate::shared::Shared;

/// A seat that was taken and is free again, with three events in the flow's stream and two in the seat's.
fn desk() -> Desk {
    let mut desk = Desk::from_snapshots();
    desk.gets(book(1, "A", How::Now));
    desk.gets(unbook(2, How::Now).undoing(1));
    desk.reads.clear();
    desk
}

#[test]
fn a_stream_is_read_from_the_event_on_that_its_snapshot_stands_at() {
    let mut desk = desk();
    desk.gets(unbook(2, How::Now).undoing(1));
    assert_eq!(desk.reads, [[format!("{} after 1", flow_stream(FLOW))]], "of two events, the last");
    desk.reads.clear();
    assert_eq!(desk.gets(book(3, "A", How::Now).of("0003-flow")), ["Booked A"]);
    assert_eq!(desk.reads, [[format!("{} after 1", seat_stream("A"))]]);
}

#[test]
fn a_snapshot_of_another_form_is_passed_over() {
    let mut desk = desk();
    let (own, shared) = (own_form::<Booking>(), shared_form::<Booking>());
    desk.reforms(&flow_stream(FLOW), |snapshot| snapshot.state_version = own + 1);
    desk.reforms(&seat_stream("A"), |snapshot| snapshot.state_version = shared + 1);
    assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
    assert_eq!(desk.gets(book(3, "A", How::Now).of("0003-flow")), ["Booked A"]);
    let all = [flow_stream(FLOW), seat_stream("A")].map(|stream| [format!("{stream} after 0")]);
    assert_eq!(desk.reads, all);
}

#[test]
fn a_snapshot_that_stands_at_an_event_which_the_stream_does_not_have_is_passed_over() {
    // After a restore: ahead of the stream, or at an event of a past that is no more.
    let ahead = |snapshot: &mut Snapshot| {
        snapshot.version = StreamVersion(7);
        snapshot.state["at"]["version"] = json!(7);
    };
    let elsewhere = |snapshot: &mut Snapshot| snapshot.state["at"]["event_id"] = json!(uuid::Uuid::from_u128(9));
    for spoilt in [ahead, elsewhere] {
        let mut desk = desk();
        desk.reforms(&flow_stream(FLOW), spoilt);
        desk.reforms(&seat_stream("A"), |snapshot| {
            spoilt(snapshot);
            snapshot.state["state"]["taken_by"] = json!("somebody");
        });
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
        assert_eq!(desk.gets(book(3, "A", How::Now).of("0003-flow")), ["Booked A"]);
    }
}

#[test]
fn a_snapshot_that_is_not_understood_is_passed_over() {
    let mut desk = desk();
    desk.reforms(&flow_stream(FLOW), |snapshot| snapshot.state = json!({"of": "another release"}));
    assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
}

#[test]
fn a_snapshot_is_due_every_so_many_events_and_one_that_finds_no_room_is_left() {
    let (snapshots, mut waiting) = Snapshots::waiting(NonZeroU64::new(3).unwrap());
    let mut seat = Shared::<u32>::default();
    let mut taken = Vec::new();
    for nth in 1..=9_u128 {
        seat.at.pass(uuid::Uuid::from_u128(nth));
        snapshots.look_at(&seat_stream("A"), &mut seat, 1);
        taken.extend(std::iter::from_fn(|| waiting.try_recv().ok()).map(|due| due.snapshot().unwrap().version.0));
    }
    assert_eq!(taken, [3, 6, 9]);
    drop(waiting);
    for nth in 10..=12_u128 {
        seat.at.pass(uuid::Uuid::from_u128(nth));
    }
    snapshots.look_at(&seat_stream("A"), &mut seat, 1);
    assert_eq!(seat.place().snapshot, StreamVersion(9), "it is due again next time");
}
