//! What other producers write, read as our schemas have it: older and newer ones, other languages, foreign topics.

use backstitch_contracts::{Catalog, DecodeError, Decoder, Encoder, Envelope, frame};
use serde_json::{Map, Value, json};

use crate::samples::{self, fixed};

fn catalog() -> Catalog {
    Catalog::embedded().unwrap()
}

fn schema(topic: &str) -> Value {
    serde_json::from_str(catalog().topic(topic).unwrap().schema.as_deref().unwrap()).unwrap()
}

fn members(schema: &mut Value) -> &mut Vec<Value> {
    schema["fields"].as_array_mut().unwrap().last_mut().unwrap()["type"].as_array_mut().unwrap()
}

fn member<'s>(schema: &'s mut Value, name: &str) -> &'s mut Value {
    members(schema).iter_mut().find(|member| member["name"] == name).unwrap()
}

/// Written by this schema, read from this topic by ours.
fn through(topic: &str, writer: &Value, envelope: &Envelope) -> Envelope {
    let text = writer.to_string();
    let decoder = Decoder::new(&catalog()).unwrap();
    decoder.learn(5, &text).unwrap();
    decoder.decode(topic, &Encoder::new(&text, 5).unwrap().encode(envelope).unwrap()).unwrap()
}

fn order() -> Value {
    json!({
        "order_id": "o", "customer_id": "c", "order_items": [], "total_amount": 5, "currency": "EUR",
        "shipping_address": null, "flow": "choreographed"
    })
}

#[test]
fn a_field_that_an_older_producer_did_not_know_has_its_default() {
    for (topic, text, parsed) in samples::schemas() {
        let full: Value = serde_json::from_str(&text).unwrap();
        for shape in samples::members(&parsed) {
            let (event_type, version) = samples::type_and_version(shape.name.name());
            let mut writer = full.clone();
            let fields = member(&mut writer, shape.name.name())["fields"].as_array_mut().unwrap();
            let defaults: Map<_, _> = fields
                .iter()
                .filter_map(|field| Some((field["name"].as_str()?.to_owned(), field.get("default")?.clone())))
                .collect();
            fields.retain(|field| field.get("default").is_none());

            let mut runner = proptest::test_runner::TestRunner::deterministic();
            let tree = proptest::strategy::Strategy::new_tree(&samples::envelopes(&shape), &mut runner).unwrap();
            let mut envelope = proptest::strategy::ValueTree::current(&tree);
            envelope.data.as_object_mut().unwrap().retain(|name, _| !defaults.contains_key(name));
            let read = through(&topic, &writer, &envelope);
            envelope.data.as_object_mut().unwrap().extend(defaults);
            assert_eq!((read.event_type.as_str(), read.event_version), (event_type.as_str(), version));
            assert_eq!(read, envelope, "{topic} {event_type}");
        }
    }
}

#[test]
fn a_field_that_a_newer_producer_added_is_left_out() {
    let mut writer = schema("orders.events");
    let added = json!({ "name": "gift", "type": { "type": "record", "name": "Gift", "fields": [
        { "name": "note", "type": ["null", "string"], "default": null },
        { "name": "tags", "type": { "type": "map", "values": { "type": "array", "items": "double" } }, "default": {} }
    ] } });
    member(&mut writer, "OrderPlacedV3")["fields"].as_array_mut().unwrap().insert(2, added);
    let mut data = order();
    data["gift"] = json!({ "note": "to Ada", "tags": { "a": [1.5, 2.0] } });
    let read = through("orders.events", &writer, &fixed("OrderPlaced", 3, data));
    assert_eq!(read.data, order());
}

#[test]
fn an_event_that_only_a_newer_producer_knows_is_read_as_it_was_written() {
    let mut writer = schema("orders.events");
    members(&mut writer).insert(
        0,
        json!({ "type": "record", "name": "OrderReturned", "namespace": "backstitch.orders", "fields": [
            { "name": "order_id", "type": "string" },
            { "name": "returned_at", "type": { "type": "long", "logicalType": "timestamp-millis" } }
        ] }),
    );
    let data = json!({ "order_id": "o", "returned_at": "2026-01-01T00:00:00.250Z" });
    assert_eq!(through("orders.events", &writer, &fixed("OrderReturned", 1, data.clone())).data, data);
    assert_eq!(through("orders.events", &writer, &fixed("OrderPlaced", 3, order())).data, order());
}

#[test]
fn commands_that_look_alike_keep_their_names_in_a_union_of_another_order() {
    let mut writer = schema("saga.commands");
    members(&mut writer).reverse();
    for command in ["CancelSaga", "PauseSaga", "ResumeSaga", "RetrySaga", "SkipStep", "AbandonSaga"] {
        let data = json!({ "saga_id": null, "definition": "d", "key": command, "step": null, "reason": null });
        let envelope = fixed(command, 1, data);
        assert_eq!(through("saga.commands", &writer, &envelope), envelope);
    }
}

#[test]
fn a_field_of_another_name_is_not_taken_for_ours() {
    let mut writer = schema("saga.commands");
    let fields = member(&mut writer, "CancelSaga")["fields"].as_array_mut().unwrap();
    fields.iter_mut().find(|field| field["name"] == "reason").unwrap()["name"] = json!("motive");
    let data = json!({ "saga_id": null, "definition": "d", "key": "k", "step": null, "motive": "spite" });
    let read = through("saga.commands", &writer, &fixed("CancelSaga", 1, data));
    assert_eq!(read.data, json!({ "saga_id": null, "definition": "d", "key": "k", "step": null, "reason": null }));
}

#[test]
fn narrower_numbers_are_widened() {
    let mut writer = schema("payments.commands");
    let fields = member(&mut writer, "ProcessPayment")["fields"].as_array_mut().unwrap();
    *fields.iter_mut().find(|field| field["name"] == "amount").unwrap() = json!({ "name": "amount", "type": "int" });
    let data = json!({ "order_id": "o", "amount": -70_000, "currency": "EUR", "customer_id": "c" });
    assert_eq!(through("payments.commands", &writer, &fixed("ProcessPayment", 1, data.clone())).data, data);
}

#[test]
fn a_type_that_cannot_become_ours_is_malformed_and_says_where() {
    let mut writer = schema("payments.commands");
    let fields = member(&mut writer, "ProcessPayment")["fields"].as_array_mut().unwrap();
    *fields.iter_mut().find(|field| field["name"] == "amount").unwrap() = json!({ "name": "amount", "type": "string" });
    let data = json!({ "order_id": "o", "amount": "5", "currency": "EUR", "customer_id": "c" });
    let text = writer.to_string();
    let decoder = Decoder::new(&catalog()).unwrap();
    decoder.learn(5, &text).unwrap();
    let bytes = Encoder::new(&text, 5).unwrap().encode(&fixed("ProcessPayment", 1, data)).unwrap();
    assert_eq!(
        decoder.decode("payments.commands", &bytes).unwrap_err().to_string(),
        "the value, of schema 5, is malformed at `data.amount`: the writer's string cannot be read as long"
    );
}

/// An envelope as somebody else might define it: other order, no logical types, only what must be there, and more.
const STRANGER: &str = r#"{"type": "record", "name": "Message", "namespace": "com.example", "fields": [
    {"name": "data", "type": ["null", {"type": "record", "name": "StartSaga", "fields": [
        {"name": "data", "type": "string"}, {"name": "key", "type": "string"}, {"name": "definition", "type": "string"}
    ]}]},
    {"name": "shard", "type": {"type": "fixed", "name": "Shard", "size": 2}},
    {"name": "occurred_at", "type": "long"},
    {"name": "event_version", "type": "long"},
    {"name": "event_type", "type": {"type": "enum", "name": "Type", "symbols": ["StopSaga", "StartSaga"]}},
    {"name": "event_id", "type": "string"}, {"name": "correlation_id", "type": "string"},
    {"name": "aggregate_id", "type": "string"}, {"name": "aggregate_type", "type": "string"},
    {"name": "metadata", "type": ["null", {"type": "map", "values": "string"}]}
]}"#;

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len() * 2).unwrap()];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[test]
fn a_strangers_envelope_starts_a_saga() {
    let decoder = Decoder::new(&catalog()).unwrap();
    decoder.learn(77, STRANGER).unwrap();
    let id = "00000000-0000-0000-0000-000000000001";
    let mut bytes = frame(77).to_vec();
    bytes.push(2);
    bytes.extend([text("{}"), text("k"), text("order-fulfilment")].concat());
    bytes.extend([0xff, 0x00, 2, 2, 2]);
    bytes.extend([text(id), text(id), text(""), text("Saga"), vec![0]].concat());
    let envelope = decoder.decode("saga.commands", &bytes).unwrap();
    assert_eq!(envelope.data, json!({ "definition": "order-fulfilment", "key": "k", "data": "{}" }));
    assert_eq!((envelope.event_type.as_str(), envelope.event_version), ("StartSaga", 1));
    assert_eq!(envelope.occurred_at.timestamp_micros(), 1);
    assert_eq!((envelope.causation_id, envelope.user_id, envelope.metadata.len()), (None, None, 0));
}

#[test]
fn an_envelope_that_speaks_of_something_else_than_it_carries_is_malformed() {
    let text = schema("orders.commands").to_string();
    let decoder = Decoder::new(&catalog()).unwrap();
    decoder.learn(5, &text).unwrap();
    let data = json!({ "order_id": "o", "reason": "" });
    let mut bytes = Encoder::new(&text, 5).unwrap().encode(&fixed("CancelOrder", 1, data)).unwrap();
    let at = bytes.windows(11).position(|window| window == b"CancelOrder").unwrap();
    bytes[at..at + 11].copy_from_slice(b"CancelOther");
    assert_eq!(
        decoder.decode("orders.commands", &bytes).unwrap_err().to_string(),
        "the value, of schema 5, is malformed at `data`: the envelope speaks of `CancelOther`, the data is `CancelOrder`"
    );
    assert!(decoder.decode("somebody.elses", &bytes).is_ok(), "on foreign topics names are the producer's own affair");
}

#[test]
fn a_topic_without_a_contract_is_read_by_the_writers_schema_alone() {
    let schema = r#"{"type": "record", "name": "E", "fields": [
        {"name": "event_id", "type": "string"}, {"name": "event_type", "type": "string"},
        {"name": "event_version", "type": "int"}, {"name": "aggregate_id", "type": "string"},
        {"name": "aggregate_type", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "correlation_id", "type": "string"},
        {"name": "data", "type": {"type": "record", "name": "Tree", "fields": [
            {"name": "weight", "type": "float"}, {"name": "bark", "type": "bytes"},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["oak", "fir"]}},
            {"name": "next", "type": ["null", "Tree"]}
        ]}}
    ]}"#;
    let decoder = Decoder::new(&catalog()).unwrap();
    decoder.learn(3, schema).unwrap();
    let id = "00000000-0000-0000-0000-000000000001";
    let tree = |next: &[u8]| [&1.5_f32.to_le_bytes()[..], &[2, 0xe9], &[4, 0x01, 0x02], &[2], next].concat();
    let mut bytes = frame(3).to_vec();
    bytes.extend([text(id), text("TreeGrew"), vec![2], text("t"), text("Tree"), vec![0], text(id)].concat());
    bytes.extend(tree(&[&[2][..], &tree(&[0])].concat()));
    let leaf = json!({ "weight": 1.5, "bark": "é", "price": "\u{1}\u{2}", "kind": "fir", "next": null });
    let mut root = leaf.clone();
    root["next"] = leaf;
    assert_eq!(decoder.decode("forest.events", &bytes).unwrap().data, root);
}

#[test]
fn a_schema_not_yet_known_is_named_and_can_be_learnt() {
    let text = schema("customers.events").to_string();
    let envelope = fixed("CustomerRegistered", 1, json!({ "customer_id": "c", "name": "Ada", "email": "" }));
    let bytes = Encoder::new(&text, 258).unwrap().encode(&envelope).unwrap();
    let decoder = Decoder::new(&catalog()).unwrap();
    assert_eq!(decoder.decode("customers.events", &bytes), Err(DecodeError::UnknownSchema { id: 258 }));
    assert!(!decoder.knows(258));
    decoder.learn(258, &text).unwrap();
    assert_eq!(decoder.decode("customers.events", &bytes), Ok(envelope));
}
