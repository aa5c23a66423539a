//! Definitions, messages and schemas for this crate's tests. Separate because the tests of several files speak of the same
//! order and the same charge.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_messaging::{Delivery, Record, TopicPartition};
use backstitch_processor::Message;
use backstitch_saga::{CommandId, Definition, Direction, SagaId, command_id};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::outgoing::Outgoing;

/// Name of the saga that ships.
pub(crate) const ORDERS: &str = "order-fulfilment";
/// Name of [`quick_charge`].
pub(crate) const CHARGES: &str = "quick-charge";
/// Key of the order of these tests.
pub(crate) const ORDER: &str = "8a3f0c52-6f0e-4c7e-9f55-0d5a4b6e2f10";
/// Names the flow that the order began.
pub(crate) const FLOW: Uuid = Uuid::from_u128(0xF10);

const CHARGE: &str = "
saga: quick-charge
version: 1
steps:
  - name: charge
    ask: payments.commands
    to: ProcessPayment
    done_on: PaymentProcessed
    refused_on: PaymentFailed
    on_rollback: pivot
    timeout: 10s
    attempts_max: 1
";

const LETTER: &str = "
saga: letter-writing
version: 1
starts_on: { topic: inventory.events, event: InventoryReserved, key: \"'letter about ' + event.order_id\" }
steps:
  - name: write
    ask: letters.commands
    to: WriteLetter
    done_on: LetterWritten
    on_rollback: nothing
";

const ETERNITY: &str = "
saga: eternity
version: 1
starts_on: { topic: inventory.events, event: InventoryReserved, key: \"'eternity after ' + event.order_id\" }
steps:
  - { name: wait, delay: 200000000d }
";

/// A definition from its text.
pub(crate) fn definition(text: &str) -> Definition {
    backstitch_saga_yaml::parse("sample.yaml", text).unwrap()
}

/// The saga that ships.
pub(crate) fn order_fulfilment() -> Definition {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/order-fulfilment.yaml");
    backstitch_saga_yaml::load_file(&file).unwrap()
}

/// The same order, only observed.
pub(crate) fn order_choreographed() -> Definition {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/order-choreographed.yaml");
    backstitch_saga_yaml::load_file(&file).unwrap()
}

/// A later version of the saga that ships, with one text replaced.
pub(crate) fn later_order_fulfilment(what: &str, by: &str) -> Definition {
    let text = order_fulfilment().to_canonical_json().replace(r#""version":1"#, r#""version":2"#);
    assert!(text.contains(what), "{what} in {text}");
    Definition::from_canonical_json(&text.replace(what, by)).unwrap()
}

/// A saga of one step that cannot be undone and is asked for once.
pub(crate) fn quick_charge() -> Definition {
    definition(CHARGE)
}

/// A saga that writes to a topic of which nobody has a schema.
pub(crate) fn letter_writing() -> Definition {
    definition(LETTER)
}

/// A saga that waits until a time that no journal can hold.
pub(crate) fn eternity() -> Definition {
    definition(ETERNITY)
}

/// The id of the saga that the order starts.
pub(crate) fn order_saga() -> Uuid {
    SagaId::derive(ORDERS, ORDER).as_uuid()
}

/// The id of a forward command of the order's saga.
pub(crate) fn asked(step: &str) -> CommandId {
    command_id(SagaId::derive(ORDERS, ORDER), step, None, Direction::Forward)
}

/// The start of all times in these tests.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// A message as a lane gets it. Messages of equal content have equal ids.
pub(crate) fn message(topic: &str, event_type: &str, key: &str, data: Value) -> Message {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{topic} {event_type} {key} {data}").as_bytes());
    let envelope = Envelope {
        event_id: id,
        event_type: event_type.to_owned(),
        event_version: 1,
        aggregate_id: key.to_owned(),
        aggregate_type: "Order".to_owned(),
        occurred_at: noon(),
        correlation_id: FLOW,
        causation_id: None,
        user_id: None,
        metadata: BTreeMap::from([("source".to_owned(), "a test".to_owned())]),
        data,
    };
    let delivery = Delivery {
        source: TopicPartition::new(topic, 3),
        offset: 41,
        timestamp_millis: None,
        key: Some(key.as_bytes().to_vec()),
        value: None,
        headers: Vec::new(),
    };
    Message { topic: topic.to_owned(), delivery, envelope, trace: None, elsewhere: Vec::new() }
}

/// The same as said by a person.
pub(crate) fn by(person: &str, mut message: Message) -> Message {
    message.envelope.user_id = Some(person.to_owned());
    message
}

/// The same as an answer to a command.
pub(crate) fn answering(command: CommandId, mut message: Message) -> Message {
    message.envelope.causation_id = Some(command.as_uuid());
    message
}

/// The same under another record key.
pub(crate) fn keyed(key: &[u8], mut message: Message) -> Message {
    message.delivery.key = Some(key.to_vec());
    message
}

/// A command on `saga.commands`, under a record key that says nothing.
pub(crate) fn command(event_type: &str, data: Value) -> Message {
    message("saga.commands", event_type, "whatever", data)
}

/// An order of two lamps.
pub(crate) fn order_placed(order: &str) -> Message {
    order_of(order, json!(2))
}

/// An order of so many lamps, which need not be a number.
pub(crate) fn order_of(order: &str, quantity: Value) -> Message {
    let data = json!({
        "order_id": order,
        "customer_id": "5f0b6c1e-19f2-4f43-8d37-6b0f5f1f7a11",
        "order_items": [{ "product_id": "lamp", "quantity": quantity, "unit_price": 2500, "line_total": 5000 }],
        "total_amount": 5000,
        "currency": "EUR",
        "shipping_address": null,
        "flow": "orchestrated",
    });
    let mut message = message("orders.events", "OrderPlaced", order, data);
    message.envelope.event_version = 3;
    message
}

/// Inventory's yes, naming no command.
pub(crate) fn reserved(order: &str) -> Message {
    let data = json!({ "order_id": order, "items": [], "reserved_until": "2026-01-31T13:00:00.000000Z" });
    message("inventory.events", "InventoryReserved", order, data)
}

/// Inventory's no, naming no command.
pub(crate) fn not_reserved(order: &str) -> Message {
    let data = json!({ "order_id": order, "reason": "out of stock" });
    message("inventory.events", "InventoryReservationFailed", order, data)
}

/// Payment's yes, naming no command.
pub(crate) fn paid(order: &str) -> Message {
    message("payments.events", "PaymentProcessed", order, json!({ "order_id": order, "payment_id": "pay-1" }))
}

/// `StartSaga` of a charge.
pub(crate) fn start_charge(key: &str) -> Message {
    let data = json!({ "order_id": key, "amount": 5000, "currency": "EUR", "customer_id": "ada" });
    command("StartSaga", json!({ "definition": CHARGES, "key": key, "data": data.to_string() }))
}

/// An encoder for each topic of the catalog; schema ids are the topics' places in it.
pub(crate) fn outgoing() -> Outgoing {
    Outgoing::new(
        schemas().into_iter().map(|(topic, id, schema)| (topic, Encoder::new(&schema, id).unwrap())).collect(),
    )
}

/// What a consumer reads from a record.
pub(crate) fn read(record: &Record) -> Envelope {
    let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
    for (_, id, schema) in schemas() {
        decoder.learn(id, &schema).unwrap();
    }
    decoder.decode(&record.topic, record.value.as_deref().unwrap()).unwrap()
}

/// A record's headers, as text.
pub(crate) fn headers(record: &Record) -> HashMap<&str, &str> {
    record.headers.iter().map(|(name, value)| (name.as_ref(), std::str::from_utf8(value).unwrap())).collect()
}

fn schemas() -> Vec<(String, u32, String)> {
    let catalog = Catalog::embedded().unwrap();
    let schemas = catalog.topics().zip(1..);
    schemas.filter_map(|(topic, id)| Some((topic.name.clone(), id, topic.schema.clone()?))).collect()
}
