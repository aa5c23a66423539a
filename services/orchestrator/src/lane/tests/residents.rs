//! Sagas that wait are packed; nobody notices but the memory.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::lane::residents::{Residents, UnpackError};
use crate::samples::{CHARGES, ORDER, by, noon, order_placed, order_saga, paid, reserved, start_charge};

const ELSE: &str = "another-order";

fn seconds(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

impl Desk {
    /// What goes on in the lane meanwhile, a minute's worth: whoever waits is packed.
    fn much_later(&mut self) {
        self.now += TimeDelta::minutes(1);
        let key = format!("{ELSE}-{}", self.now.timestamp());
        self.hears(order_placed(&key));
        self.commits();
    }

    fn is_packed(&self, saga: Uuid) -> bool {
        self.lane.live.contains(&saga) && self.lane.find(saga).is_none()
    }
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

/// A charge that a lane has decided, as it is in memory.
fn charge() -> (Uuid, super::super::Live) {
    let mut desk = Desk::new();
    desk.hears(by("ada", start_charge("42")));
    let saga = Definitions::saga_id(CHARGES, "42");
    (saga, desk.lane.find(saga).unwrap().clone())
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
fn a_crowd_is_packed_a_part_at_each_commit() {
    let (_, live) = charge();
    let mut residents = Residents::default();
    let ids: Vec<Uuid> = (0..1_000).map(Uuid::from_u128).collect();
    for id in &ids {
        residents.insert(*id, live.clone());
    }
    // What has just moved is no reason to pack more than a few.
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
