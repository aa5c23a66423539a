//! What the encoder refuses, and how it says so.

use backstitch_contracts::{Catalog, EncodeError, Encoder, Envelope, SchemaError};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::samples::fixed;

fn encoder(topic: &str) -> Encoder {
    Encoder::new(Catalog::embedded().unwrap().topic(topic).unwrap().schema.as_deref().unwrap(), 1).unwrap()
}

fn refusal(data: Value) -> String {
    encoder("inventory.commands").encode(&fixed("ReserveInventory", 1, data)).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let item = |quantity: Value| json!({ "product_id": "mug", "quantity": quantity });
    let order = |items: Value| json!({ "order_id": "o", "items": items });
    let cases = [
        (
            order(json!([item(json!(1)), item(json!("two"))])),
            r#"`data.items[1].quantity` cannot be written: an int is expected, not "two""#,
        ),
        (
            order(json!([item(json!(3_000_000_000_u32))])),
            "`data.items[0].quantity` cannot be written: an int is expected, not 3000000000",
        ),
        (order(json!([item(json!(1.5))])), "`data.items[0].quantity` cannot be written: an int is expected, not 1.5"),
        (order(json!([{ "product_id": "mug" }])), "`data.items[0].quantity` cannot be written: it is missing"),
        (order(json!({})), "`data.items` cannot be written: an array is expected, not {}"),
        (json!({ "order_id": "o" }), "`data.items` cannot be written: it is missing"),
        (json!({ "order_id": null, "items": [] }), "`data.order_id` cannot be written: a text is expected, not null"),
        (json!([]), "`data` cannot be written: an object (ReserveInventory) is expected, not []"),
        (
            json!({ "order_id": "o", "items": [], "itmes": [] }),
            "`data.itmes` cannot be written: `ReserveInventory` has no such field",
        ),
    ];
    for (data, message) in cases {
        assert_eq!(refusal(data), message);
    }
}

#[test]
fn a_wrong_value_is_shown_cut_to_what_a_line_can_bear() {
    let message = refusal(json!({ "order_id": "o", "items": "x".repeat(100_000) }));
    assert!(message.len() < 200, "{message}");
}

#[test]
fn what_may_be_absent_is_written_as_its_default() {
    let encoder = encoder("saga.commands");
    let short = encoder.encode(&fixed("CancelSaga", 1, json!({ "key": "k" }))).unwrap();
    let all = json!({ "saga_id": null, "definition": null, "key": "k", "step": null, "reason": null });
    assert_eq!(short, encoder.encode(&fixed("CancelSaga", 1, all)).unwrap());
    let wrong = encoder.encode(&fixed("CancelSaga", 1, json!({ "key": 7 }))).unwrap_err().to_string();
    assert_eq!(wrong, "`data.key` cannot be written: a text is expected, not 7");
}

#[test]
fn a_time_is_rfc_3339_in_any_zone_and_cut_to_microseconds() {
    let encoder = encoder("shipping.events");
    let bytes =
        |at: &str| encoder.encode(&fixed("ShipmentDelivered", 1, json!({ "order_id": "o", "delivered_at": at })));
    assert_eq!(bytes("2026-01-01T02:00:00+02:00").unwrap(), bytes("2026-01-01T00:00:00.000000Z").unwrap());
    assert_eq!(bytes("2026-01-01T00:00:00.1234567Z").unwrap(), bytes("2026-01-01T00:00:00.123456Z").unwrap());
    let error = bytes("yesterday").unwrap_err().to_string();
    assert_eq!(error, r#"`data.delivered_at` cannot be written: an RFC 3339 time is expected, not "yesterday""#);
}

#[test]
fn a_time_that_nobody_could_read_again_is_refused() {
    let encoder = encoder("shipping.events");
    let mut envelope =
        fixed("ShipmentDelivered", 1, json!({ "order_id": "o", "delivered_at": "9999-12-31T23:59:59-01:00" }));
    let message = |envelope: &Envelope| encoder.encode(envelope).unwrap_err().to_string();
    assert!(message(&envelope).starts_with("`data.delivered_at` cannot be written: a time in the years 0 to 9999"));
    envelope.data["delivered_at"] = json!("9999-12-31T23:59:59Z");
    envelope.occurred_at = DateTime::<Utc>::MAX_UTC;
    assert_eq!(message(&envelope), "`occurred_at` cannot be written: a time in the years 0 to 9999 is expected");
    envelope.occurred_at = DateTime::UNIX_EPOCH;
    assert!(encoder.encode(&envelope).is_ok());
}

#[test]
fn a_type_or_version_that_the_topic_does_not_carry_is_refused() {
    let error = encoder("orders.events").encode(&fixed("OrderPlaced", 4, json!({}))).unwrap_err();
    assert_eq!(
        error,
        EncodeError::UnknownMember {
            schema: "backstitch.orders_events.Envelope".to_owned(),
            member: "OrderPlacedV4".to_owned()
        }
    );
    assert_eq!(error.to_string(), "the schema `backstitch.orders_events.Envelope` has no member `OrderPlacedV4`");
}

#[test]
fn a_schema_that_is_no_envelope_makes_no_encoder() {
    assert!(matches!(Encoder::new("{", 1), Err(SchemaError::Parse { .. })));
    let error = Encoder::new(r#"{"type": "record", "name": "Envelope", "fields": []}"#, 1).unwrap_err();
    assert_eq!(error.to_string(), "the schema `Envelope` is no envelope as ours: it has 0 fields, not 11");
    let ours = Catalog::embedded().unwrap().topic("orders.events").unwrap().schema.clone().unwrap();
    let renamed = Encoder::new(&ours.replace("aggregate_id", "aggregate"), 1).unwrap_err().to_string();
    assert!(renamed.ends_with("it has a field `aggregate` where `aggregate_id` belongs"), "{renamed}");
    let retyped = ours.replace(r#""name":"event_version","type":"int""#, r#""name":"event_version","type":"string""#);
    let retyped = Encoder::new(&retyped, 1).unwrap_err().to_string();
    assert!(retyped.ends_with("its field `event_version` is of another type"), "{retyped}");
}
