//! What follows when a saga's timer rings.

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::Desk;
use crate::samples::{ORDER, asked, command, noon, not_reserved, order_placed, order_saga, reserved};

fn waiting_for_payment() -> Desk {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.hears(reserved(ORDER));
    desk
}

#[test]
fn a_saga_rings_when_its_step_has_waited_long_enough() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    assert_eq!(desk.due_at(order_saga()), Some(noon() + TimeDelta::minutes(5)));
    desk.hears(reserved(ORDER));
    assert_eq!(desk.due_at(order_saga()), Some(noon() + TimeDelta::seconds(30)));
}

#[test]
fn a_silent_step_is_asked_again_by_the_same_command() {
    let mut desk = waiting_for_payment();
    let due = desk.due_at(order_saga()).unwrap();
    desk.commits();
    assert_eq!(desk.rings(order_saga(), due).entries(), ["StepTimedOut", "RetryScheduled"]);
    let retry_at = desk.due_at(order_saga()).unwrap();
    assert!(retry_at >= due);
    desk.commits();

    let again = desk.rings(order_saga(), retry_at);
    assert_eq!(
        (again.commands(), again.entries()),
        (vec!["payments.commands <- ProcessPayment".into()], vec!["StepRequested"])
    );
    let asks = again.find("ProcessPayment");
    assert_eq!(asks.envelope.event_id, asked("process-payment").as_uuid());
    assert_eq!(asks.header("ce_id"), Some(asked("process-payment").to_string().as_str()));
    assert_eq!(asks.header("saga-try"), Some("1"));
    assert_eq!(desk.due_at(order_saga()), Some(retry_at + TimeDelta::seconds(30)));
}

#[test]
fn what_a_timer_led_to_names_no_message() {
    let mut desk = waiting_for_payment();
    let due = desk.due_at(order_saga()).unwrap();
    let answer = desk.rings(order_saga(), due);
    let entry = &answer.find("StepTimedOut").envelope;
    assert_eq!((entry.causation_id, entry.metadata.get("input")), (None, None));
    assert_eq!(entry.occurred_at, due);
}

#[test]
fn a_timer_that_rings_too_early_is_set_again() {
    let mut desk = waiting_for_payment();
    let due = desk.due_at(order_saga()).unwrap();
    desk.commits();
    assert!(desk.rings(order_saga(), due - TimeDelta::microseconds(1)).is_nothing());
    assert_eq!((desk.rows(), desk.due_at(order_saga())), (vec![], Some(due)));
}

#[test]
fn a_timer_of_a_saga_that_is_not_here_changes_nothing() {
    let mut desk = Desk::new();
    assert!(desk.rings(order_saga(), noon()).is_nothing());
    assert!(desk.rings(Uuid::nil(), noon()).is_nothing());
    assert_eq!(desk.rows(), []);
}

#[test]
fn a_saga_that_stands_still_does_not_ring() {
    let mut desk = waiting_for_payment();
    let due = desk.due_at(order_saga()).unwrap();
    desk.hears(command("PauseSaga", json!({ "saga_id": order_saga() })));
    assert_eq!(desk.due_at(order_saga()), None);
    assert!(desk.rings(order_saga(), due).is_nothing());
}

#[test]
fn a_saga_that_has_ended_does_not_ring() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.hears(not_reserved(ORDER));
    assert!(desk.due_at(order_saga()).is_some());
    desk.hears(crate::samples::message("orders.events", "OrderCancelled", ORDER, json!({ "order_id": ORDER })));
    assert_eq!(desk.due_at(order_saga()), None);
}

#[test]
fn a_saga_that_waited_beyond_its_own_deadline_is_rolled_back() {
    let mut desk = waiting_for_payment();
    desk.commits();
    let answer = desk.rings(order_saga(), noon() + TimeDelta::minutes(15));
    assert!(answer.entries().contains(&"RollbackStarted"), "{:?}", answer.entries());
    assert!(desk.due_at(order_saga()).is_some());
}
