//! What messages are to the order service: which are its own, which matter, which are no good.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use backstitch_contracts::Envelope;
use backstitch_messaging::{Delivery, TopicPartition};
use backstitch_order::domain::ShipmentKnown;
use backstitch_order::handlers::{Command, Heard, Orders, stream};
use backstitch_participant::{Participant as _, Route};
use backstitch_processor::{Message, Use};
use chrono::DateTime;
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

fn command(event_type: &str, data: Value) -> Message {
    message("orders.commands", event_type, data, &[])
}

fn cancel_order(headers: &[(&str, &str)]) -> ShipmentKnown {
    let cancel = message("orders.commands", "CancelOrder", json!({"order_id": ORDER, "reason": "no"}), headers);
    match Orders::default().route(&cancel).unwrap() {
        Route::Command { command: Command::Cancel(_, shipment), .. } => shipment,
        other => panic!("{other:?}"),
    }
}

fn place_order(quantity: i64, price: i64) -> Value {
    json!({
        "order_id": ORDER,
        "customer_id": ORDER,
        "order_items": [{"product_id": "lamp", "quantity": quantity, "unit_price": price}],
        "currency": "EUR",
        "shipping_address": {"line1": "1 Main St", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    })
}

#[test]
fn an_order_is_placed_in_its_own_stream_with_its_total() {
    let route = Orders::default().route(&command("PlaceOrder", place_order(2, 1_050))).unwrap();
    let Route::Command { command: Command::Place(placed), stream: own } = route else { panic!("{route:?}") };
    assert_eq!((placed.total_amount, own), (2_100, stream(ORDER.parse().unwrap())));
}

#[test]
fn an_order_against_a_rule_is_a_dead_letter_that_names_the_rule() {
    let free = Orders::default().route(&command("PlaceOrder", place_order(2, 0))).unwrap_err();
    assert_eq!(free.reason, "invalid");
    assert!(free.detail.starts_with("order_price_not_positive: "), "{}", free.detail);
    let none = Orders::default().route(&command("PlaceOrder", place_order(0, 1))).unwrap_err();
    assert!(none.detail.contains("0 is no quantity"), "{}", none.detail);
}

#[test]
fn an_order_that_no_saga_would_drive_is_refused_where_sagas_drive_all() {
    let sagas_only = Orders { sagas_only: true, ..Orders::default() };
    let mut order = place_order(2, 1_050);
    assert!(sagas_only.route(&command("PlaceOrder", order.clone())).is_ok());
    order["flow"] = json!("choreographed");
    assert!(Orders::default().route(&command("PlaceOrder", order.clone())).is_ok());
    let refused = sagas_only.route(&command("PlaceOrder", order)).unwrap_err();
    assert!(refused.detail.starts_with("order_not_choreographed: "), "{}", refused.detail);
}

#[test]
fn payments_are_not_an_orders_matter_where_a_saga_drives_it_and_its_reservation_may_wait() {
    let used = |topic, flow: Option<&str>| {
        let mut message = message(topic, "PaymentProcessed", json!({}), &[]);
        message.envelope.metadata.extend(flow.map(|flow| ("flow".to_owned(), flow.to_owned())));
        Orders::default().use_for(topic, &message.envelope)
    };
    assert_eq!(used("payments.events", None), Use::Never);
    assert_eq!(used("payments.events", Some("choreographed")), Use::Now);
    assert_eq!((used("inventory.events", None), used("shipping.events", None)), (Use::Soon, Use::Now));
    assert_eq!((used("shipping.events", Some("choreographed")), used("orders.commands", None)), (Use::Now, Use::Now));
}

#[test]
fn a_command_that_nobody_handles_is_a_dead_letter() {
    let unknown = Orders::default().route(&command("PaintOrder", json!({}))).unwrap_err();
    assert_eq!(unknown.reason, "unknown-command");
}

#[test]
fn a_saga_that_rolls_back_knows_that_the_shipment_is_off_and_a_customer_does_not() {
    assert_eq!(cancel_order(&[("saga-direction", "compensate")]), ShipmentKnown::CalledBack);
    assert_eq!(cancel_order(&[("saga-direction", "forward")]), ShipmentKnown::Nothing);
    assert_eq!(cancel_order(&[]), ShipmentKnown::Nothing);
}

#[test]
fn a_shipment_is_heard_of_and_what_does_not_matter_is_passed_over() {
    let shipped =
        json!({"order_id": ORDER, "tracking_number": "T1", "carrier": "c", "shipped_at": "2026-01-01T00:00:00Z"});
    let route = Orders::default().route(&message("shipping.events", "OrderShipped", shipped, &[])).unwrap();
    assert!(matches!(route, Route::Event { event: Heard::Shipped(_), .. }), "{route:?}");
    for (topic, event_type) in
        [("shipping.events", "ShipmentFailed"), ("inventory.events", "StockReceived"), ("x", "y")]
    {
        let route = Orders::default().route(&message(topic, event_type, json!({}), &[])).unwrap();
        assert!(matches!(route, Route::Ignored), "{route:?}");
    }
}
