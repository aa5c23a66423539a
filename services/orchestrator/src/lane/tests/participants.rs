//! Sagas while a participant's circuit breaker is open: their clocks stand still, and nothing of it is written.

use std::sync::Arc;
use std::time::Duration;

use backstitch_processor::{Input, Timer};
use backstitch_saga::Timestamp;
use backstitch_saga::participant::{BreakerRules, Opening};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::timers::LOOK_AGAIN;
use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::participants::Participants;
use crate::samples::{ORDER, noon, not_reserved, order_placed, order_saga, paid, reserved, start_charge};

const PAYMENTS: &str = "payments.commands";

fn seconds(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn opening(from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> (String, Opening) {
    let at = |time: DateTime<Utc>| Timestamp::from_micros(time.timestamp_micros());
    (PAYMENTS.to_owned(), Opening { opened_at: at(from), closed_at: to.map(at), by: None })
}

/// An order that waits for its payment until 30 s after noon.
fn waiting_for_payment(silences_max: u32) -> (Desk, Arc<Participants>) {
    let mut desk = Desk::new();
    let rules = BreakerRules { silences_max, probe_after: Duration::from_secs(60) };
    let participants = Arc::new(Participants::new(rules));
    desk.lane.participants = participants.clone();
    desk.hears(order_placed(ORDER));
    desk.hears(reserved(ORDER));
    desk.commits();
    (desk, participants)
}

/// The same, rung while the breaker is open since 10 s after noon.
fn withholding() -> (Desk, Arc<Participants>) {
    let (mut desk, participants) = waiting_for_payment(10);
    participants.learn(vec![opening(seconds(10), None)]);
    desk.rings(order_saga(), seconds(30));
    desk.commits();
    (desk, participants)
}

impl Desk {
    fn looks_again(&mut self, at: DateTime<Utc>) -> Answer {
        self.now = at;
        self.decide(&Input::Timer(Timer::reminder(LOOK_AGAIN, at, None))).unwrap()
    }

    fn looks_again_at(&self) -> Option<DateTime<Utc>> {
        self.effects.rings_at(LOOK_AGAIN)
    }
}

#[test]
fn while_a_breaker_is_open_its_steps_do_not_fall_silent_and_nothing_is_written() {
    let (mut desk, participants) = waiting_for_payment(10);
    participants.learn(vec![opening(seconds(10), None)]);
    assert!(desk.rings(order_saga(), seconds(30)).is_nothing());
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));
    assert_eq!(desk.looks_again_at(), Some(seconds(31)));
    assert_eq!(desk.due_at(order_saga()), Some(noon() + TimeDelta::minutes(15)));
}

#[test]
fn once_it_is_closed_the_attempt_has_the_time_that_it_had_left() {
    let (mut desk, participants) = withholding();
    participants.learn(vec![opening(seconds(10), Some(seconds(40)))]);
    desk.looks_again(seconds(41));
    assert_eq!((desk.looks_again_at(), desk.due_at(order_saga())), (None, Some(seconds(60))));
    desk.commits();
    assert!(desk.rings(order_saga(), seconds(59)).is_nothing());
    desk.commits();
    assert_eq!(desk.rings(order_saga(), seconds(60)).entries(), ["StepTimedOut", "RetryScheduled"]);
}

#[test]
fn so_it_has_if_it_was_packed_meanwhile() {
    let (mut desk, participants) = withholding();
    desk.much_later();
    assert!(desk.is_packed(order_saga()));
    participants.learn(vec![opening(seconds(10), Some(seconds(100)))]);
    desk.looks_again(seconds(101));
    assert_eq!((desk.looks_again_at(), desk.due_at(order_saga())), (None, Some(seconds(120))));
}

#[test]
fn a_batch_that_was_not_written_lets_go_what_it_withheld_when_it_is_decided_again() {
    let (mut desk, participants) = waiting_for_payment(10);
    participants.learn(vec![opening(seconds(10), None)]);
    desk.rings(order_saga(), seconds(30));
    desk.aborts();
    desk.rings(order_saga(), seconds(30));
    assert_eq!(desk.looks_again_at(), Some(seconds(31)));
    desk.commits();
    participants.learn(vec![opening(seconds(10), Some(seconds(40)))]);
    desk.looks_again(seconds(41));
    desk.aborts();
    desk.looks_again(seconds(41));
    assert_eq!(desk.due_at(order_saga()), Some(seconds(60)));
}

#[test]
fn the_saga_s_own_deadline_runs_on() {
    let (mut desk, _) = withholding();
    let answer = desk.rings(order_saga(), noon() + TimeDelta::minutes(15));
    assert!(answer.entries().contains(&"RollbackStarted"), "{:?}", answer.entries());
}

#[test]
fn after_a_while_one_overdue_attempt_is_let_through_as_a_probe() {
    let (mut desk, participants) = waiting_for_payment(10);
    let charge = Definitions::saga_id("quick-charge", "c-1");
    desk.now = seconds(5);
    desk.hears(start_charge("c-1"));
    desk.commits();
    participants.learn(vec![opening(seconds(10), None)]);
    desk.rings(charge, seconds(15));
    desk.rings(order_saga(), seconds(30));
    desk.commits();
    assert!(desk.looks_again(seconds(69)).is_nothing());
    desk.commits();
    // The charge has waited longer, since 15 s after noon.
    let probe = desk.looks_again(seconds(70));
    assert_eq!(probe.entries(), ["StepTimedOut", "SagaStuck"]);
    assert_eq!(desk.journal().iter().map(|(saga, _)| *saga).collect::<Vec<Uuid>>(), [charge, charge]);
    desk.commits();
    assert!(desk.looks_again(seconds(129)).is_nothing());
    desk.commits();
    assert_eq!(desk.looks_again(seconds(130)).entries(), ["StepTimedOut", "RetryScheduled"]);
}

#[test]
fn silence_counts_once_it_is_written_and_any_answer_ends_the_count() {
    let (mut desk, participants) = waiting_for_payment(10);
    desk.rings(order_saga(), seconds(30));
    assert!(!participants.listens());
    desk.aborts();
    desk.rings(order_saga(), seconds(30));
    desk.commits();
    assert!(participants.listens());
    // Another participant's answer says nothing about this one.
    desk.hears(not_reserved(ORDER));
    assert!(participants.listens());
    desk.hears(paid("an order of long ago"));
    assert!(!participants.listens());
}

#[test]
fn who_has_answered_others_since_is_not_silent() {
    let (mut desk, participants) = waiting_for_payment(1);
    desk.now = seconds(20);
    desk.hears(paid("another order"));
    assert_eq!(desk.rings(order_saga(), seconds(30)).entries(), ["StepTimedOut", "RetryScheduled"]);
    desk.commits();
    assert!(!participants.listens());
}

#[test]
fn a_refusal_is_an_answer() {
    let (mut desk, participants) = waiting_for_payment(10);
    desk.rings(order_saga(), seconds(30));
    desk.commits();
    let refusal = serde_json::json!({ "order_id": ORDER, "reason": "no money", "retry_possible": false });
    desk.hears(crate::samples::message("payments.events", "PaymentFailed", ORDER, refusal));
    assert!(!participants.listens());
}
