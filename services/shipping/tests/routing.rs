//! What messages are to the shipping service: which are its own, which matter, which are no good.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use backstitch_contracts::Envelope;
use backstitch_messaging::{Delivery, TopicPartition};
use backstitch_participant::{Participant as _, Route};
use backstitch_processor::Message;
use backstitch_shipping::handlers::{Shipments, stream};
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
    message("shipping.commands", event_type, data, &[])
}

#[test]
fn a_cancellation_undoes_a_shipment_in_the_same_stream() {
    let forward = Shipments::default()
        .route(&command("ShipOrder", json!({"order_id": ORDER, "shipping_address": null, "items": []})))
        .unwrap();
    let back =
        Shipments::default().route(&command("CancelShipment", json!({"order_id": ORDER, "reason": "no"}))).unwrap();
    assert_eq!(forward.stream(), Some(&stream(ORDER.parse().unwrap())));
    assert_eq!(forward.stream(), back.stream());
    assert!(matches!(back, Route::Compensation { undoes: "ShipOrder", .. }), "{back:?}");
}

#[test]
fn a_command_that_nobody_handles_or_that_breaks_the_contract_is_a_dead_letter() {
    assert_eq!(Shipments::default().route(&command("Dance", json!({}))).unwrap_err().reason, "unknown-command");
    let rejection = Shipments::default().route(&command("ShipOrder", json!({"order_id": "seven"}))).unwrap_err();
    assert_eq!(rejection.reason, "invalid");
    assert!(rejection.detail.contains("breaks a rule: "), "{}", rejection.detail);
}
