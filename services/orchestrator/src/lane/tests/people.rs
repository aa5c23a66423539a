//! What a person's command does to a saga, and to one that has not started.

use serde_json::{Value, json};

use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::samples::{
    CHARGES, FLOW, ORDER, ORDERS, by, command, keyed, order_placed, order_saga, reserved, start_charge,
};

fn cancel(key: &str) -> Value {
    json!({ "definition": ORDERS, "key": key, "reason": "changed her mind" })
}

/// A charge that nobody answered, for a customer called Ada.
fn stuck_charge() -> Desk {
    let mut desk = Desk::new();
    desk.hears(by("ada", start_charge("42")));
    let saga = Definitions::saga_id(CHARGES, "42");
    let due = desk.due_at(saga).unwrap();
    desk.commits();
    assert_eq!(desk.rings(saga, due).entries(), ["StepTimedOut", "SagaStuck"]);
    desk.commits();
    desk
}

fn ann_says(desk: &mut Desk, command_type: &str, step: Option<&str>) -> Answer {
    let data = json!({ "definition": CHARGES, "key": "42", "step": step });
    desk.hears(by("ann", command(command_type, data)))
}

#[test]
fn a_cancel_before_the_start_leaves_a_tombstone() {
    let mut desk = Desk::new();
    let answer = desk.hears(by("ann", command("CancelSaga", cancel(ORDER))));
    assert_eq!((answer.entries(), answer.commands()), (vec!["CancelledBeforeStart"], vec![]));
    assert_eq!(answer.find("CancelledBeforeStart").envelope.user_id.as_deref(), Some("ann"));
    let tombstone = desk.rows().remove(0);
    assert_eq!((tombstone.id, tombstone.seq), (order_saga(), 1));
    assert!(tombstone.finished_at.is_some());
}

#[test]
fn an_order_placed_after_its_cancel_is_only_called_off() {
    let mut desk = Desk::new();
    desk.hears(by("ann", command("CancelSaga", cancel(ORDER))));
    let tombstone = desk.rows().remove(0);
    desk.commits();
    desk.recalls(tombstone);
    let answer = desk.hears(by("ada", order_placed(ORDER)));
    assert_eq!(answer.commands(), ["orders.commands <- CancelOrder"]);
    assert_eq!(answer.places()[0], "2");
    let envelope = &answer.find("CancelOrder").envelope;
    assert_eq!((envelope.correlation_id, envelope.user_id.as_deref()), (FLOW, Some("ada")));
}

#[test]
fn what_is_left_of_a_cancelled_order_stays_in_its_flow_after_a_restart() {
    let mut desk = Desk::new();
    desk.hears(command("CancelSaga", cancel(ORDER)));
    let tombstone = desk.rows().remove(0);
    let flow_unknown = tombstone.correlation_id;
    desk.hears(order_placed(ORDER));
    let mut rolling_back = desk.rows().remove(0);
    rolling_back.correlation_id = flow_unknown;
    let mut after = Desk::new();
    after.recalls(rolling_back);
    let due = desk.due_at(order_saga()).unwrap();
    let answer = after.rings(order_saga(), due);
    assert_eq!(answer.find("StepTimedOut").envelope.correlation_id, FLOW);
}

#[test]
fn a_start_asked_for_after_its_cancel_is_refused() {
    let mut desk = Desk::new();
    desk.hears(command("CancelSaga", json!({ "definition": CHARGES, "key": "42" })));
    let answer = desk.hears(start_charge("42"));
    assert_eq!((answer.entries(), answer.commands()), (vec!["StartRefused"], vec![]));
}

#[test]
fn a_cancel_of_an_unknown_saga_id_changes_nothing() {
    let mut desk = Desk::new();
    assert!(desk.hears(command("CancelSaga", json!({ "saga_id": order_saga() }))).is_nothing());
    assert_eq!(desk.rows(), []);
}

#[test]
fn a_cancel_of_a_running_saga_undoes_what_was_done() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.hears(reserved(ORDER));
    let answer = desk.hears(by("ann", command("CancelSaga", cancel(ORDER))));
    assert_eq!(answer.entries()[0], "RollbackStarted");
    assert_eq!(answer.find("RollbackStarted").envelope.user_id.as_deref(), Some("ann"));
}

#[test]
fn a_retry_that_names_another_step_than_the_stuck_one_changes_nothing() {
    let mut desk = stuck_charge();
    for said in ["RetrySaga", "SkipStep", "AbandonSaga"] {
        assert!(ann_says(&mut desk, said, Some("ship-order")).is_nothing(), "{said}");
    }
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));
    let answer = ann_says(&mut desk, "RetrySaga", Some("charge"));
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
}

#[test]
fn a_retry_that_names_the_step_of_a_saga_that_goes_on_changes_nothing() {
    let mut desk = Desk::new();
    desk.hears(start_charge("42"));
    assert!(ann_says(&mut desk, "RetrySaga", Some("charge")).is_nothing());
}

#[test]
fn a_retry_that_names_no_step_means_the_stuck_one() {
    let mut desk = stuck_charge();
    assert_eq!(ann_says(&mut desk, "RetrySaga", None).commands(), ["payments.commands <- ProcessPayment"]);
}

#[test]
fn whoever_retries_a_saga_is_in_its_journal_but_does_not_pay_for_it() {
    let mut desk = stuck_charge();
    let answer = ann_says(&mut desk, "RetrySaga", None);
    assert_eq!(answer.find("SagaUnstuck").envelope.user_id.as_deref(), Some("ann"));
    assert_eq!(answer.find("ProcessPayment").envelope.user_id.as_deref(), Some("ada"));
}

#[test]
fn a_stuck_saga_stays_in_memory_until_a_person_ends_it() {
    let mut desk = stuck_charge();
    let saga = Definitions::saga_id(CHARGES, "42");
    assert!(desk.lane.live.contains(&saga) && desk.lane.stuck.contains(&saga));
    assert_eq!(ann_says(&mut desk, "AbandonSaga", Some("charge")).entries(), ["SagaAbandoned"]);
    desk.commits();
    assert!(desk.lane.live.len() == 0 && desk.lane.stuck.is_empty());
}

#[test]
fn a_command_that_names_a_saga_by_its_id_alone_is_sent_to_its_home() {
    let mut home = Desk::new();
    home.hears(start_charge("42"));
    let row = home.rows().remove(0);
    let mut elsewhere = Desk::new();
    elsewhere.hears_of(&row);
    let cancel = by("ann", command("CancelSaga", json!({ "saga_id": row.id })));
    let sent = elsewhere.passes_on(cancel.clone());
    assert_eq!(sent, [("saga.commands".to_owned(), Some(b"42".to_vec()))]);
    assert_eq!(elsewhere.passes_on(keyed(b"42", cancel)), [], "at home it is not sent again");
}
