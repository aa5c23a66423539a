//! How sagas begin on a lane, once each.

use serde_json::json;

use super::Desk;
use crate::samples::{
    CHARGES, FLOW, ORDER, ORDERS, asked, by, command, not_reserved, order_placed, order_saga, start_charge,
};

#[test]
fn a_placed_order_starts_one_saga_and_asks_for_its_items() {
    let mut desk = Desk::new();
    let answer = desk.hears(by("ada", order_placed(ORDER)));
    assert_eq!(answer.commands(), ["inventory.commands <- ReserveInventory"]);
    assert_eq!(answer.entries(), ["SagaStarted", "StepRequested"]);

    let asks = answer.find("ReserveInventory");
    let id = asked("reserve-inventory").to_string();
    let saga = order_saga().to_string();
    let expected = [
        ("saga-id", saga.as_str()),
        ("saga-step", "reserve-inventory"),
        ("saga-direction", "forward"),
        ("saga-try", "1"),
        ("saga-deadline", "2026-01-31T12:05:00.000000Z"),
        ("ce_id", id.as_str()),
    ];
    for (name, value) in expected {
        assert_eq!(asks.header(name), Some(value), "{name}");
    }
    assert_eq!(asks.header("saga-undoes"), None);
    assert_eq!(asks.record.key.as_deref(), Some(ORDER.as_bytes()));
    let placed = order_placed(ORDER).envelope;
    assert_eq!(asks.envelope.event_id, asked("reserve-inventory").as_uuid());
    assert_eq!((asks.envelope.causation_id, asks.envelope.correlation_id), (Some(placed.event_id), FLOW));
    assert_eq!(asks.envelope.user_id.as_deref(), Some("ada"));
    assert_eq!(asks.envelope.data["items"], json!([{ "product_id": "lamp", "quantity": 2 }]));
}

#[test]
fn the_batch_writes_one_row_for_a_new_saga() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    let rows = desk.rows();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.id, row.definition.as_str(), row.key.as_str()), (order_saga(), ORDERS, ORDER));
    assert_eq!((row.seq, row.correlation_id, row.finished_at), (2, FLOW, None));
    assert_eq!(desk.journal(), [(order_saga(), 1), (order_saga(), 2)]);
}

#[test]
fn the_same_order_again_changes_nothing() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    assert!(desk.hears(order_placed(ORDER)).is_nothing());
    desk.commits();
    assert!(desk.hears(order_placed(ORDER)).is_nothing());
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));
}

#[test]
fn the_same_order_in_another_event_changes_nothing() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.commits();
    let mut again = order_placed(ORDER);
    again.envelope.event_id = FLOW;
    assert!(desk.hears(again).is_nothing());
}

#[test]
fn a_saga_that_has_ended_is_not_started_again() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.hears(not_reserved(ORDER));
    let cancelled = crate::samples::message("orders.events", "OrderCancelled", ORDER, json!({ "order_id": ORDER }));
    assert_eq!(desk.hears(cancelled).entries().last(), Some(&"SagaRolledBack"));
    let ended = desk.rows().remove(0);
    assert!(ended.finished_at.is_some());
    desk.commits();
    assert_eq!(desk.lane.live.len(), 0);

    desk.recalls(ended);
    assert!(desk.hears(order_placed(ORDER)).is_nothing());
}

#[test]
fn each_order_has_a_saga_of_its_own() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    let other = desk.hears(order_placed("order-2"));
    assert_eq!(other.entries(), ["SagaStarted", "StepRequested"]);
    assert_ne!(other.find("ReserveInventory").envelope.event_id, asked("reserve-inventory").as_uuid());
    assert_eq!(desk.rows().len(), 2);
}

#[test]
fn a_start_that_was_asked_for_starts_the_named_definition() {
    let mut desk = Desk::new();
    let answer = desk.hears(start_charge("42"));
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
    assert_eq!(desk.rows()[0].definition, CHARGES);
    assert!(desk.hears(start_charge("42")).is_nothing());
}

#[test]
fn starting_an_unknown_definition_is_rejected_and_leaves_nothing() {
    let mut desk = Desk::new();
    let start = command("StartSaga", json!({ "definition": "refunds", "key": "42", "data": "{}" }));
    let rejection = desk.rejects(start);
    assert_eq!(rejection.reason, "unknown-definition");
    assert!(rejection.detail.contains(ORDERS) && rejection.detail.contains(CHARGES), "{}", rejection.detail);
    assert_eq!((desk.rows(), desk.effects.records().len()), (vec![], 0));
}
