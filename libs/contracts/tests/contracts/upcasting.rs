//! An order placed long ago, as everyone reads it today.

use std::collections::BTreeMap;

use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope, orders::OrderPlacedV3, upcast};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::samples::fixed;

const CUSTOMER: &str = "0b0d9d4a-7a0e-4a6c-8a53-50f4d3f1e0aa";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// Through bytes, as it would come from the topic.
fn read(envelope: &Envelope) -> Envelope {
    let catalog = Catalog::embedded().unwrap();
    let schema = catalog.topic("orders.events").unwrap().schema.as_deref().unwrap();
    let decoder = Decoder::new(&catalog).unwrap();
    decoder.learn(1, schema).unwrap();
    decoder.decode("orders.events", &Encoder::new(schema, 1).unwrap().encode(envelope).unwrap()).unwrap()
}

fn placed(version: i32, rest: &Value) -> Envelope {
    let items = json!([
        { "product_id": "mug", "quantity": 2, "price": 250 },
        { "product_id": "pot", "quantity": 1, "price": 1_999 }
    ]);
    let mut data = json!({ "customer_id": CUSTOMER, "items": items, "total_amount": 2_499 });
    data.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    fixed("OrderPlaced", version, data)
}

#[test]
fn a_first_version_is_read_in_dollars_with_line_totals_and_without_an_address() {
    let envelope = read(&placed(1, &json!({}))).upcasted(now());
    let order: OrderPlacedV3 = envelope.typed().unwrap();
    assert_eq!(order.order_id.to_string(), envelope.aggregate_id);
    assert_eq!((order.currency.code(), order.total_amount), ("USD", 2_499));
    let totals: Vec<_> = order.order_items.iter().map(|line| (line.unit_price, line.line_total)).collect();
    assert_eq!(totals, [(250, 500), (1_999, 1_999)]);
    assert_eq!(order.shipping_address, None);
}

/// Type and newest version of every member of every topic.
fn newest_versions(catalog: &Catalog) -> BTreeMap<String, i32> {
    let mut newest = BTreeMap::new();
    for member in catalog.topics().flat_map(|topic| &topic.members) {
        let version = member.rsplit_once('V').and_then(|(name, version)| Some((name, version.parse().ok()?)));
        let (event_type, version) = version.unwrap_or((member, 1));
        let known = newest.entry(event_type.to_owned()).or_insert(version);
        *known = version.max(*known);
    }
    newest
}

#[test]
fn a_version_without_an_upcaster_cannot_be_merged() {
    let newest = newest_versions(&Catalog::embedded().unwrap());
    assert_eq!(newest["OrderPlaced"], 3);
    let known = || newest.iter().map(|(event_type, version)| (event_type.as_str(), *version));
    assert_eq!(upcast::UPCASTERS.check(known()), Ok(()), "write a step in libs/contracts/src/upcast.rs");
    // Were there a fourth version without a step, this is what it would say.
    let with_a_fourth = known().map(|(name, version)| (name, if name == "OrderPlaced" { 4 } else { version }));
    assert!(upcast::UPCASTERS.check(with_a_fourth).is_err());
}

#[test]
fn the_metadata_says_what_was_upcast_and_what_was_lost() {
    let metadata = |version, rest| read(&placed(version, &rest)).upcasted(now()).metadata;
    let first = metadata(1, json!({}));
    assert_eq!(first[upcast::UPCASTED_FROM], "1");
    assert_eq!(first[upcast::UPCASTED_AT], "2027-01-15T08:00:00.000000Z");
    assert_eq!(first[upcast::DATA_LOSS], "currency (read as USD), shipping_address");
    assert_eq!(first["source"], "order");
    let second = metadata(2, json!({ "currency": "EUR" }));
    assert_eq!((second[upcast::UPCASTED_FROM].as_str(), second[upcast::DATA_LOSS].as_str()), ("2", "shipping_address"));
}

#[test]
fn a_second_version_keeps_its_currency() {
    let order: OrderPlacedV3 = read(&placed(2, &json!({ "currency": "CHF" }))).upcasted(now()).typed().unwrap();
    assert_eq!(order.currency.code(), "CHF");
}

#[test]
fn what_was_upcast_can_be_written_as_the_newest_version() {
    let newest = placed(1, &json!({})).upcasted(now());
    assert_eq!(newest.event_version, 3);
    assert_eq!(read(&newest), newest);
}

#[test]
fn the_newest_version_and_other_events_are_left_alone() {
    let newest = placed(1, &json!({})).upcasted(now());
    assert_eq!(newest.clone().upcasted(DateTime::UNIX_EPOCH), newest);
    let other = fixed(
        "OrderCancelled",
        1,
        json!({ "order_id": "o", "reason": "", "cancelled_at": "2026-01-01T00:00:00.000000Z" }),
    );
    assert_eq!(other.clone().upcasted(now()), other);
}

#[test]
fn data_of_any_other_form_is_upcast_without_harm() {
    let forms = [
        json!(null),
        json!([]),
        json!({}),
        json!({ "items": 7 }),
        json!({ "items": ["x", { "quantity": "q", "price": [] }, { "quantity": i64::MAX, "price": i64::MAX }] }),
    ];
    for data in forms {
        let envelope = fixed("OrderPlaced", 1, data.clone()).upcasted(now());
        assert_eq!(data.is_object(), envelope.event_version == 3, "{data}");
        assert!(envelope.event_version == 3 || envelope.data == data);
    }
}
