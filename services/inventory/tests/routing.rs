//! What messages are to the inventory service: which are its own, which matter, which are no good.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use backstitch_contracts::Envelope;
use backstitch_inventory::handlers::{Heard, Warehouse, receipt_stream, reservation_stream};
use backstitch_messaging::{Delivery, TopicPartition};
use backstitch_participant::{Participant as _, Route};
use backstitch_processor::{Message, Use};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use uuid::Uuid;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

/// A message as the processor hands it over.
fn message(topic: &str, event_type: &str, data: Value, headers: &[(&str, &str)]) -> Message {
    let delivery = Delivery {
        source: TopicPartition::new(topic, 0),
        offset: 0,
        timestamp_millis: None,
        key: None,
        value: None,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned().into(), value.as_bytes().to_vec())).collect(),
    };
    let envelope = Envelope {
        event_id: Uuid::from_u128(1),
        event_type: event_type.to_owned(),
        event_version: 1,
        aggregate_id: ORDER.to_owned(),
        aggregate_type: "Order".to_owned(),
        occurred_at: DateTime::UNIX_EPOCH,
        correlation_id: Uuid::nil(),
        causation_id: None,
        user_id: None,
        metadata: BTreeMap::new(),
        data,
    };
    Message { topic: topic.to_owned(), delivery, envelope, trace: None, elsewhere: Vec::new() }
}

fn warehouse() -> Warehouse {
    Warehouse { hold: TimeDelta::minutes(15) }
}

fn command(event_type: &str, data: Value) -> Message {
    message("inventory.commands", event_type, data, &[])
}

#[test]
fn a_release_undoes_a_reservation_in_the_same_stream() {
    let order = json!({"order_id": ORDER, "items": [{"product_id": "lamp", "quantity": 1}]});
    let reserve = warehouse().route(&command("ReserveInventory", order)).unwrap();
    let release = warehouse().route(&command("ReleaseInventory", json!({"order_id": ORDER, "reason": "no"}))).unwrap();
    assert_eq!(reserve.stream(), Some(&reservation_stream(ORDER.parse().unwrap())));
    assert_eq!(reserve.stream(), release.stream());
    assert!(matches!(release, Route::Compensation { undoes: "ReserveInventory", .. }), "{release:?}");
}

#[test]
fn a_delivery_of_goods_has_a_stream_of_its_own() {
    let goods = json!({"receipt_id": "r-1", "product_id": "lamp", "quantity": 1});
    let receive = warehouse().route(&command("ReceiveStock", goods)).unwrap();
    assert_eq!(receive.stream(), Some(&receipt_stream("r-1")));
}

#[test]
fn an_order_that_is_confirmed_or_cancelled_matters_and_one_that_is_placed_does_not() {
    let event = |event_type, data| warehouse().route(&message("orders.events", event_type, data, &[])).unwrap();
    let confirmed = json!({"order_id": ORDER, "payment_id": ORDER, "confirmed_at": "2026-01-01T00:00:00Z"});
    let cancelled = json!({"order_id": ORDER, "reason": "no", "cancelled_at": "2026-01-01T00:00:00Z"});
    assert!(matches!(event("OrderConfirmed", confirmed), Route::Event { event: Heard::Confirmed, .. }));
    assert!(matches!(event("OrderCancelled", cancelled), Route::Event { event: Heard::Cancelled(_), .. }));
    assert!(matches!(event("OrderPlaced", json!({})), Route::Ignored));
    let used = |event_type| {
        warehouse().use_for("orders.events", &message("orders.events", event_type, json!({}), &[]).envelope)
    };
    assert_eq!(["OrderPlaced", "OrderConfirmed", "OrderCancelled"].map(used), [Use::Never, Use::Soon, Use::Now]);
}

#[test]
fn an_order_that_nobody_drives_is_followed_from_its_placing_on() {
    let event = |event_type, version, data| {
        let mut message = message("orders.events", event_type, data, &[]);
        message.envelope.event_version = version;
        message.envelope.metadata.insert("flow".to_owned(), "choreographed".to_owned());
        assert_eq!(warehouse().use_for("orders.events", &message.envelope), Use::Now);
        warehouse().route(&message).unwrap()
    };
    let line = json!({"product_id": "lamp", "quantity": 2, "unit_price": 5, "line_total": 10});
    let placed =
        json!({"order_id": ORDER, "customer_id": ORDER, "order_items": [line], "total_amount": 10, "currency": "EUR"});
    let cancelled = json!({"order_id": ORDER, "reason": "no", "cancelled_at": "2026-01-01T00:00:00Z"});
    let route = event("OrderPlaced", 3, placed);
    assert!(
        matches!(&route, Route::Event { event: Heard::Placed(wanted), .. } if wanted.items.len() == 1),
        "{route:?}"
    );
    assert!(matches!(event("OrderCancelled", 1, cancelled), Route::Event { event: Heard::CalledOff(_), .. }));
}

#[test]
fn a_command_that_nobody_handles_or_that_breaks_a_rule_is_a_dead_letter() {
    assert_eq!(warehouse().route(&command("CountStock", json!({}))).unwrap_err().reason, "unknown-command");
    let none = json!({"receipt_id": "r-1", "product_id": "lamp", "quantity": 0});
    let rejection = warehouse().route(&command("ReceiveStock", none)).unwrap_err();
    assert_eq!(rejection.reason, "invalid");
    assert!(rejection.detail.contains("0 is no quantity"), "{}", rejection.detail);
}
