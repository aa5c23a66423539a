//! The catalog against the folder it is made of, and the Rust types against the catalog.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backstitch_contracts::{
    Catalog, CatalogError, Cleanup, Decoder, Encoder, Kind, Payload, customers, inventory, orders, payments, saga,
    shipping,
};
use chrono::DateTime;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::samples;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

#[test]
fn the_embedded_catalog_is_the_folder() {
    assert_eq!(Catalog::embedded().unwrap(), Catalog::load(&folder()).unwrap());
}

#[test]
fn every_record_file_is_a_member_of_exactly_one_topic() {
    let catalog = Catalog::embedded().unwrap();
    let listed: Vec<String> = catalog.topics().flat_map(|topic| topic.files.clone()).collect();
    let mut found = BTreeSet::new();
    for context in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(&context).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            found.insert(format!("{}/{file}", context.file_name().unwrap().to_str().unwrap()));
        }
    }
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), found);
    assert_eq!(listed.len(), found.len(), "a record is listed twice");
    assert!(found.len() > 60, "only {} records were seen", found.len());
}

#[test]
fn topics_say_how_they_are_kept() {
    let catalog = Catalog::embedded().unwrap();
    let topic = |name: &str| catalog.topic(name).unwrap().clone();
    assert_eq!(topic("saga.events").retention_days, None, "the journal is kept for ever");
    assert_eq!(topic("customers.events").cleanup, Cleanup::Compact);
    assert_eq!(topic("saga.definitions").cleanup, Cleanup::Compact);
    assert_eq!((topic("saga.inputs").kind, topic("saga.inputs").schema), (Kind::Inputs, None));
    assert_eq!(topic("orders.events").subject(), "orders.events-value");
    assert_eq!(topic("orders.events").dead_letters(), "orders.events.dlq");
    assert!(topic("orders.events").carries("OrderPlaced", 3) && !topic("orders.events").carries("OrderPlaced", 4));
}

#[test]
fn a_folder_with_a_misnamed_record_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("envelope.template.json", r#"{"type": "record", "fields": []}"#);
    write(
        "topics.json",
        r#"{"a": {"key": "", "kind": "events", "cleanup": "delete", "retention_days": 1, "members": ["A.avsc"]}}"#,
    );
    assert!(matches!(Catalog::load(folder.path()), Err(CatalogError::Missing { file }) if file == "A.avsc"));
    write("A.avsc", r#"{"type": "record", "name": "B", "fields": []}"#);
    let error = Catalog::load(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the schema file `A.avsc` defines `B`");
}

/// Goes once through bytes, and through the schema's own idea of what the type's data may be.
fn is_what_the_schema_says<T: Payload + PartialEq + std::fmt::Debug>(example: &T) {
    let catalog = Catalog::embedded().unwrap();
    let schema = catalog.topic(T::TOPIC).unwrap().schema.clone().unwrap();
    let (encoder, decoder) = (Encoder::new(&schema, 9).unwrap(), Decoder::new(&catalog).unwrap());
    decoder.learn(9, &schema).unwrap();
    let envelope = samples::fixed("", 0, json!({})).with_data(example).unwrap();
    let read = decoder.decode(T::TOPIC, &encoder.encode(&envelope).unwrap()).unwrap();
    assert!(read.is::<T>());
    assert_eq!(read.typed::<T>().unwrap(), *example);

    let written = serde_json::to_value(example).unwrap();
    let member = samples::members(&apache_avro::Schema::parse_str(&schema).unwrap())
        .into_iter()
        .find(|member| samples::type_and_version(member.name.name()) == (T::EVENT_TYPE.to_owned(), T::EVENT_VERSION))
        .unwrap();
    let any = samples::envelopes(&member).new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&written), keys(&any.data), "`{}` has other fields than its schema", T::EVENT_TYPE);
}

fn from<T: Payload>(json: serde_json::Value) -> T {
    serde_json::from_value(json).unwrap()
}

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";
const OTHER: &str = "0b0d9d4a-7a0e-4a6c-8a53-50f4d3f1e0aa";

#[test]
fn the_order_types_are_what_their_schemas_say() {
    let address = json!({
        "name": null, "line1": "1 Main St", "line2": null, "city": "Springfield", "postal_code": "12345", "country": "US"
    });
    is_what_the_schema_says::<orders::OrderPlacedV3>(&from(json!({
        "order_id": ORDER, "customer_id": OTHER, "total_amount": 500, "currency": "EUR", "shipping_address": address,
        "order_items": [{ "product_id": "mug", "quantity": 2, "unit_price": 250, "line_total": 500 }],
        "flow": "choreographed"
    })));
    is_what_the_schema_says::<orders::PlaceOrder>(&from(json!({
        "order_id": ORDER, "customer_id": OTHER, "currency": "EUR", "shipping_address": address,
        "order_items": [{ "product_id": "mug", "quantity": 2, "unit_price": 250 }]
    })));
    let at = "2026-01-01T00:00:00.000001Z";
    is_what_the_schema_says::<orders::OrderConfirmed>(&from(
        json!({ "order_id": ORDER, "payment_id": OTHER, "confirmed_at": at }),
    ));
    is_what_the_schema_says::<orders::OrderConfirmationRefused>(&from(
        json!({ "order_id": ORDER, "reason": "shipped" }),
    ));
    is_what_the_schema_says::<orders::OrderCancelled>(&from(
        json!({ "order_id": ORDER, "reason": "", "cancelled_at": at }),
    ));
    is_what_the_schema_says::<orders::ConfirmOrder>(&from(
        json!({ "order_id": ORDER, "payment_id": OTHER, "reserved_until": at }),
    ));
    is_what_the_schema_says::<orders::CancelOrder>(&from(json!({ "order_id": ORDER, "reason": "out of stock" })));
}

#[test]
fn the_inventory_types_are_what_their_schemas_say() {
    let items = json!([{ "product_id": "mug", "quantity": 2 }]);
    let at = "2026-01-01T00:00:00Z";
    is_what_the_schema_says::<inventory::InventoryReserved>(&from(
        json!({ "order_id": ORDER, "items": items, "reserved_until": at }),
    ));
    is_what_the_schema_says::<inventory::InventoryReservationFailed>(&from(json!({
        "order_id": ORDER, "items": [{ "product_id": "mug", "asked": 5, "available": 3 }], "reason": "out of stock"
    })));
    is_what_the_schema_says::<inventory::InventoryReleased>(&from(json!({ "order_id": ORDER, "items": [] })));
    is_what_the_schema_says::<inventory::StockReceived>(&from(
        json!({ "receipt_id": "r-1", "product_id": "mug", "quantity": 9 }),
    ));
    is_what_the_schema_says::<inventory::ReserveInventory>(&from(json!({ "order_id": ORDER, "items": items })));
    is_what_the_schema_says::<inventory::ReleaseInventory>(&from(json!({ "order_id": ORDER, "reason": "declined" })));
    is_what_the_schema_says::<inventory::ReceiveStock>(&from(
        json!({ "receipt_id": "r-1", "product_id": "mug", "quantity": 9 }),
    ));
}

#[test]
fn the_payment_and_shipping_types_are_what_their_schemas_say() {
    let money =
        json!({ "order_id": ORDER, "payment_id": OTHER, "amount": 500, "currency": "EUR", "payment_method": "card" });
    is_what_the_schema_says::<payments::PaymentProcessed>(&from(money));
    is_what_the_schema_says::<payments::PaymentFailed>(&from(
        json!({ "order_id": ORDER, "reason": "declined", "retry_possible": true }),
    ));
    is_what_the_schema_says::<payments::PaymentRefunded>(&from(
        json!({ "order_id": ORDER, "amount": 0, "currency": "EUR" }),
    ));
    is_what_the_schema_says::<payments::ProcessPayment>(&from(
        json!({ "order_id": ORDER, "amount": 5, "currency": "EUR", "customer_id": OTHER }),
    ));
    is_what_the_schema_says::<payments::RefundPayment>(&from(json!({ "order_id": ORDER, "reason": "cancelled" })));

    let at = "2026-01-01T00:00:00Z";
    is_what_the_schema_says::<shipping::OrderShipped>(&from(
        json!({ "order_id": ORDER, "tracking_number": "T1", "carrier": "post", "shipped_at": at }),
    ));
    is_what_the_schema_says::<shipping::ShipmentDelivered>(&from(json!({ "order_id": ORDER, "delivered_at": at })));
    is_what_the_schema_says::<shipping::ShipmentFailed>(&from(
        json!({ "order_id": ORDER, "reason": "no such street" }),
    ));
    is_what_the_schema_says::<shipping::ShipmentCancelled>(&from(json!({ "order_id": ORDER, "reason": "cancelled" })));
    is_what_the_schema_says::<shipping::ShipOrder>(&from(
        json!({ "order_id": ORDER, "items": [{ "product_id": "mug", "quantity": 2 }] }),
    ));
    is_what_the_schema_says::<shipping::CancelShipment>(&from(json!({ "order_id": ORDER, "reason": "cancelled" })));
}

#[test]
fn the_customer_and_saga_types_are_what_their_schemas_say() {
    let customer = json!({ "customer_id": OTHER, "name": "Ada", "email": "ada@example.org" });
    is_what_the_schema_says::<customers::CustomerRegistered>(&from(customer.clone()));
    is_what_the_schema_says::<customers::CustomerChanged>(&from(customer));
    is_what_the_schema_says::<saga::StartSaga>(&from(
        json!({ "definition": "order-fulfilment", "key": ORDER, "data": "{}" }),
    ));
    let target = json!({ "saga_id": OTHER, "definition": null, "key": null, "step": "ship", "reason": "asked for" });
    is_what_the_schema_says::<saga::CancelSaga>(&from(target.clone()));
    is_what_the_schema_says::<saga::PauseSaga>(&from(target.clone()));
    is_what_the_schema_says::<saga::ResumeSaga>(&from(target.clone()));
    is_what_the_schema_says::<saga::RetrySaga>(&from(target.clone()));
    is_what_the_schema_says::<saga::SkipStep>(&from(target.clone()));
    is_what_the_schema_says::<saga::AbandonSaga>(&from(target));
    is_what_the_schema_says::<saga::MigrateSaga>(&from(
        json!({ "saga_id": OTHER, "to_hash": "abc", "reason": "a better way" }),
    ));
    is_what_the_schema_says::<saga::SignalSaga>(&from(
        json!({ "key": ORDER, "definition": "d", "signal": "approved" }),
    ));
    let parent = json!({
        "definition": "d", "key": "k", "data": "{}", "completed_too": true, "reason": "no stock",
        "parent_id": OTHER, "parent_definition": "p", "parent_key": ORDER, "parent_step": "ship/0",
    });
    is_what_the_schema_says::<saga::StartSubSaga>(&from(parent.clone()));
    is_what_the_schema_says::<saga::CancelSubSaga>(&from(parent));
    is_what_the_schema_says::<saga::ReportSubSaga>(&from(json!({
        "saga_id": OTHER, "key": ORDER, "step": "ship/0", "answer": "SubSagaCompleted", "result": "{}",
        "sub_saga_id": OTHER, "sub_saga_definition": "d", "sub_saga_key": "k",
    })));
    is_what_the_schema_says::<saga::SagaDefinition>(&from(
        json!({ "hash": "abc", "name": "d", "version": 1, "body": "{}" }),
    ));
}

#[test]
fn data_that_breaks_a_rule_of_the_domain_is_no_typed_payload() {
    let data = json!({ "order_id": ORDER, "items": [{ "product_id": "mug", "quantity": 0 }] });
    let envelope = samples::fixed("ReserveInventory", 1, data);
    let error = envelope.typed::<inventory::ReserveInventory>().unwrap_err();
    assert_eq!(error.to_string(), "the data of `ReserveInventory` breaks a rule");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "0 is no quantity: between 1 and 2147483647 is expected"
    );
    let error = envelope.typed::<orders::OrderPlacedV3>().unwrap_err();
    assert_eq!(error.to_string(), "the message is a `ReserveInventory` version 1, not a `OrderPlaced` version 3");
    assert_eq!(envelope.occurred_at, DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap());
}
