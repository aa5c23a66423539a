//! Sagas that wait are packed; nobody notices but the memory.

use backstitch_messaging::TraceContext;
use backstitch_saga::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::lane::Live;
use crate::lane::residents::{Residents, UnpackError};
use crate::samples::{CHARGES, ORDER, by, noon, order_placed, order_saga, paid, reserved, start_charge};

fn seconds(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

/// Places an order, has it reserved and paid, with a minute's work between; what was said of it each time.
fn story(packed: bool) -> Vec<Answer> {
    let mut desk = Desk::new();
    let mut answers = Vec::new();
    for message in [by("ada", order_placed(ORDER)), reserved(ORDER), paid(ORDER)] {
        answers.push(desk.hears(message));
        desk.commits();
        if packed {
            desk.much_later();
            assert!(desk.is_packed(order_saga()));
        } else {
            desk.now += TimeDelta::minutes(1);
        }
    }
    answers
}

#[test]
fn a_packed_saga_goes_on_as_if_it_had_been_awake() {
    assert_eq!(story(true), story(false));
}

#[test]
fn a_packed_saga_rings() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    let due = desk.due_at(order_saga()).unwrap();
    desk.commits();
    desk.much_later();
    assert!(desk.is_packed(order_saga()));
    assert_eq!(desk.rings(order_saga(), due).entries(), ["StepTimedOut", "RetryScheduled"]);
}

#[test]
fn a_start_of_a_saga_that_is_packed_is_no_second_one() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.commits();
    desk.much_later();
    assert!(desk.is_packed(order_saga()));
    assert!(desk.hears(order_placed(ORDER)).is_nothing());
}

#[test]
fn after_a_claim_sagas_lie_packed_and_ring() {
    let mut desk = Desk::new();
    desk.hears(start_charge("42"));
    let row = desk.rows().remove(0);
    let due = desk.due_at(row.id).unwrap();
    let mut next = Desk::new();
    assert_eq!(next.lane.take_in(row.clone()).unwrap().map(|timer| timer.due_at), Some(due));
    assert!(next.is_packed(row.id));
    assert!(!next.rings(row.id, due).is_nothing());
}

/// A charge that a lane has decided, as it is in memory; no two of its fields are alike.
fn charge() -> (Uuid, Live) {
    let mut desk = Desk::new();
    desk.hears(by("ada", start_charge("42")));
    let saga = Definitions::saga_id(CHARGES, "42");
    let live = desk.lane.find(saga).unwrap().clone();
    let trace = TraceContext { traceparent: "00-1-2-01".into(), tracestate: Some("a=b".into()) };
    let search = [("customer".to_owned(), "ada".to_owned())].into();
    let started_at = noon() - TimeDelta::nanoseconds(1_234_567_891);
    let live = Live { trace: Some(trace), search, started_at, counted: true, stored: false, seq: 7, ..live };
    (saga, live)
}

#[test]
fn a_saga_that_holds_any_json_wakes_with_the_same() {
    let (id, mut live) = charge();
    let odd = json!({ "float": 31.245_270_191_439_438, "big": u64::MAX, "small": i64::MIN, "text": "\u{0}ß\"\n" });
    for data in [odd, nested(60)] {
        let State::Advancing(advancing) = &mut live.state else { panic!("{:?}", live.state) };
        advancing.saga.data = data.into();
        let mut residents = Residents::default();
        residents.insert(id, live.clone());
        residents.pack_idle(seconds(10));
        assert_eq!(residents.get(&id), None);
        residents.wake(id, seconds(20)).unwrap();
        assert_eq!(residents.get(&id), Some(&live));
    }
}

#[test]
fn a_saga_that_would_not_come_out_as_it_went_in_stays_awake() {
    let (id, mut live) = charge();
    let State::Advancing(advancing) = &mut live.state else { panic!("{:?}", live.state) };
    advancing.saga.data = nested(200).into();
    let mut residents = Residents::default();
    residents.insert(id, live.clone());
    residents.pack_idle(seconds(10));
    assert_eq!(residents.get(&id), Some(&live));
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn whoever_was_woken_for_nothing_is_packed_again_though_nothing_is_written() {
    let mut residents = Residents::default();
    let (_, live) = charge();
    let ids: Vec<Uuid> = (0..1_000).map(Uuid::from_u128).collect();
    for id in &ids {
        residents.lay_down(*id, live.clone());
        residents.wake(*id, seconds(0)).unwrap();
    }
    residents.pack_idle(seconds(10));
    assert!(ids.iter().all(|id| residents.get(id).is_none()));
}

#[test]
fn who_has_not_moved_for_ten_seconds_is_packed_and_wakes_as_it_was() {
    let (id, live) = charge();
    let mut residents = Residents::default();
    residents.insert(id, live.clone());
    residents.pack_idle(seconds(9));
    assert_eq!(residents.get(&id), Some(&live));
    residents.pack_idle(seconds(10));
    assert_eq!((residents.get(&id), residents.contains(&id), residents.len()), (None, true, 1));
    residents.wake(id, seconds(60)).unwrap();
    assert_eq!(residents.get(&id), Some(&live));
    residents.pack_idle(seconds(69));
    assert_eq!(residents.get(&id), Some(&live), "whoever was woken is awake for a while");
    residents.pack_idle(seconds(70));
    assert_eq!(residents.get(&id), None);
}

#[test]
fn who_has_moved_again_stays_awake_and_who_has_ended_is_gone() {
    let (id, mut live) = charge();
    let mut residents = Residents::default();
    residents.insert(id, live.clone());
    live.updated_at = seconds(5);
    residents.insert(id, live);
    residents.pack_idle(seconds(12));
    assert!(residents.get(&id).is_some());
    residents.remove(&id);
    residents.pack_idle(seconds(60));
    residents.wake(id, seconds(60)).unwrap();
    assert_eq!((residents.contains(&id), residents.len()), (false, 0));
}

#[test]
fn a_crowd_is_packed_a_part_at_each_batch() {
    let (_, live) = charge();
    let mut residents = Residents::default();
    let ids: Vec<Uuid> = (0..1_000).map(Uuid::from_u128).collect();
    for id in &ids {
        residents.insert(*id, live.clone());
    }
    // As if long ago: what has moved since is packed at once.
    residents.pack_idle(seconds(0));
    let awake = |residents: &Residents| ids.iter().filter(|id| residents.get(id).is_some()).count();
    residents.pack_idle(seconds(20));
    assert_eq!(awake(&residents), 1_000 - 64);
    for _ in 0..15 {
        residents.pack_idle(seconds(20));
    }
    assert_eq!(awake(&residents), 0);
}

#[test]
fn what_cannot_be_unpacked_is_said_and_stays() {
    let (id, live) = charge();
    let mut residents = Residents::default();
    residents.lay_down(id, live);
    residents.spoil(&id);
    assert!(matches!(residents.wake(id, noon()), Err(UnpackError::Compression(_))));
    assert!(residents.contains(&id));
}
