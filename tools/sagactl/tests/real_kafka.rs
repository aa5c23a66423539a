//! Dead letters, topics and schemas on the real broker and registry of `cargo xtask up`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::process::{Command, Output};

use backstitch_contracts::orders::{self, PlaceOrder};
use backstitch_contracts::{Catalog, Encoder, Envelope, Payload, headers};
use backstitch_messaging::{Delivery, Publisher, Record};
use backstitch_messaging_kafka::registry::{Registry, RegistrySettings};
use backstitch_messaging_kafka::{
    KafkaPublisher, KafkaSettings, ReadFrom, ReadUntil, TopicReader, TopicSpec, ensure_topics,
};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

fn kafka() -> KafkaSettings {
    let bootstrap = std::env::var("KAFKA_BOOTSTRAP");
    KafkaSettings::plaintext(
        bootstrap.unwrap_or_else(|_| panic!("load target/stack/env: this test needs a real Kafka")),
    )
}

fn sagactl(arguments: &[&str]) -> (i32, Value, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_sagactl")).arg("--json").args(arguments).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), serde_json::from_slice(&stdout).unwrap_or(Value::Null), said)
}

/// A topic and its dead letters, of this test alone.
async fn topic() -> String {
    let name = format!("sagactl-test-{}", Uuid::new_v4().simple());
    let spec = |name: String| TopicSpec { name, partitions: 2, replication: 1, config: [].into() };
    ensure_topics(&kafka(), &[spec(name.clone()), spec(format!("{name}.dlq"))]).await.unwrap();
    name
}

async fn set_aside(topic: &str, key: &str, reason: &str) {
    let mut letter = Record::new(format!("{topic}.dlq"), key, vec![0xde, 0xad])
        .header("ce_type", "ReserveInventory")
        .header(headers::DLQ_TOPIC, topic)
        .header(headers::DLQ_PARTITION, "1")
        .header(headers::DLQ_OFFSET, "7")
        .header(headers::DLQ_GROUP, "inventory")
        .header(headers::DLQ_REASON, reason);
    letter.partition = Some(0);
    let publisher = KafkaPublisher::new(&kafka()).unwrap();
    publisher.publish(vec![letter]).await.unwrap().await.unwrap().unwrap();
}

async fn records(topic: &str) -> Vec<Delivery> {
    let mut reader = TopicReader::open(&kafka(), &[topic], ReadFrom::Beginning, ReadUntil::EndAtStart).await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().await {
        records.push(record);
    }
    records
}

#[tokio::test]
async fn a_dead_letter_is_found_shown_and_sent_again_once() {
    let topic = topic().await;
    set_aside(&topic, "order-1", "undecodable").await;
    set_aside(&topic, "order-2", "panic").await;
    let of_topic = ["dlq", "list", "--topic", &topic];

    let (code, letters, said) = sagactl(&of_topic);
    assert_eq!((code, letters.as_array().unwrap().len()), (0, 2), "{said}");
    let id = letters[0]["id"].as_str().unwrap();
    assert_eq!(id, format!("{topic}.dlq/0/0"));
    assert_eq!((&letters[0]["key"], &letters[0]["group"]), (&json!("order-1"), &json!("inventory")));

    let (code, letter, _) = sagactl(&["dlq", "show", id]);
    assert_eq!(
        (code, &letter["value_hex"], &letter["headers"]["ce_type"]),
        (0, &json!("dead"), &json!("ReserveInventory"))
    );

    let by_reason = ["dlq", "redrive", "--topic", &topic, "--reason", "undecodable"];
    let (code, dry, _) = sagactl(&[by_reason.as_slice(), &["--dry-run"]].concat());
    assert_eq!((code, dry["letters"].as_array().unwrap().len(), records(&topic).await.len()), (0, 1, 0));

    let (code, sent, said) = sagactl(&by_reason);
    assert_eq!((code, &sent["letters"][0]["id"]), (0, &json!(id)), "{said}");
    let (_, nothing, _) = sagactl(&by_reason);
    assert_eq!(nothing["letters"], json!([]));

    let again = records(&topic).await;
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].source.partition, again[0].key.as_deref()), (1, Some(b"order-1".as_slice())));
    assert_eq!(again[0].value.as_deref(), Some([0xde, 0xad].as_slice()));
    assert_eq!(again[0].header_text(headers::REDRIVE_GROUP), Some("inventory"));

    let (_, left, _) = sagactl(&of_topic);
    assert_eq!(left.as_array().unwrap().iter().map(|letter| &letter["key"]).collect::<Vec<_>>(), [&json!("order-2")]);
    // By name, so that nothing of this test stays in the lists of others.
    let (code, _, said) = sagactl(&["dlq", "redrive", &format!("{topic}.dlq/0/1")]);
    assert_eq!(code, 0, "{said}");
    let (_, all, _) = sagactl(&["dlq", "list", "--topic", &topic, "--all"]);
    assert_eq!(all.as_array().unwrap().len(), 2);
}

fn order(id: Uuid, flow: Uuid, cause: Option<Uuid>) -> Envelope {
    Envelope {
        event_id: id,
        event_type: PlaceOrder::EVENT_TYPE.to_owned(),
        event_version: 1,
        aggregate_id: "order-1".to_owned(),
        aggregate_type: "Order".to_owned(),
        occurred_at: Utc::now(),
        correlation_id: flow,
        causation_id: cause,
        user_id: cause.is_none().then(|| "ann".to_owned()),
        metadata: [].into(),
        data: json!({
            "order_id": Uuid::new_v4(), "customer_id": Uuid::new_v4(), "currency": "EUR", "flow": "orchestrated",
            "order_items": [{ "product_id": "lamp", "quantity": 1, "unit_price": 900 }], "shipping_address": address(),
        }),
    }
}

fn address() -> Value {
    json!({ "name": "Ada", "line1": "Unter den Linden 1", "line2": null, "city": "Berlin", "postal_code": "10115",
            "country": "DE" })
}

#[tokio::test]
async fn a_flow_is_shown_from_its_first_command_on() {
    let topic = topic().await;
    let registry = Registry::new(RegistrySettings::at(std::env::var("SCHEMA_REGISTRY_URL").unwrap())).unwrap();
    let catalog = Catalog::embedded().unwrap();
    let schema = catalog.topic(orders::COMMANDS).unwrap().schema.clone().unwrap();
    assert_eq!(sagactl(&["schemas", "push"]).0, 0);
    let id = registry.id_of(&format!("{}-value", orders::COMMANDS), &schema).await.unwrap();
    let encoder = Encoder::new(&schema, id).unwrap();
    let [first, second, third, flow, other] = std::array::from_fn(|_| Uuid::new_v4());
    let messages = [
        order(first, flow, None),
        order(second, flow, Some(first)),
        order(third, flow, Some(second)),
        order(third, flow, Some(second)),
        order(other, Uuid::new_v4(), None),
    ];
    let records = messages.map(|message| Record::new(&topic, "order-1", encoder.encode(&message).unwrap()));
    let publisher = KafkaPublisher::new(&kafka()).unwrap();
    publisher.publish(records.into()).await.unwrap().await.unwrap().unwrap();

    for asked in [first, third, flow] {
        let (code, trees, said) = sagactl(&["trace", &asked.to_string(), "--topic", &topic]);
        assert_eq!((code, trees.as_array().map(Vec::len)), (0, Some(1)), "{said}");
        let top = &trees[0];
        assert_eq!((&top["id"], &top["user"]), (&json!(first), &json!("ann")));
        let last = &top["led_to"][0]["led_to"][0];
        assert_eq!((&last["id"], &last["copies"], &last["led_to"]), (&json!(third), &json!(2), &json!([])));
    }
    let (code, _, said) = sagactl(&["trace", &Uuid::new_v4().to_string(), "--topic", &topic]);
    assert!(code == 3 && said.contains("there is no event, command or flow"), "{code}: {said}");
    assert_eq!(sagactl(&["trace", &first.to_string(), "--topic", "no-such-topic"]).0, 3);
    assert_eq!(sagactl(&["trace", "order-1"]).0, 64);
}

#[tokio::test]
async fn a_redrive_names_what_it_means() {
    assert_eq!(sagactl(&["dlq", "redrive"]).0, 64);
    assert_eq!(sagactl(&["dlq", "redrive", "orders.events/0/1"]).0, 64);
    assert_eq!(sagactl(&["dlq", "redrive", "no-such-topic.dlq/0/1"]).0, 3);
    assert_eq!(sagactl(&["dlq", "list", "--topic", "no-such-topic"]).0, 3);
}

#[tokio::test]
async fn what_is_registered_and_created_stays_as_it_is() {
    let (code, first, said) = sagactl(&["schemas", "push"]);
    assert_eq!(code, 0, "{said}");
    let (code, second, _) = sagactl(&["schemas", "check"]);
    assert_eq!(code, 0);
    let ids =
        |reports: &Value| reports.as_array().unwrap().iter().map(|report| report["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    let (code, topics, said) = sagactl(&["topics", "list"]);
    assert_eq!(code, 0, "{said}");
    let partitions = topics[0]["partitions"].to_string();
    assert_eq!(sagactl(&["topics", "create", "--partitions", &partitions, "--replication", "1"]).0, 0);
    assert_eq!(sagactl(&["topics", "create", "--partitions", "99", "--replication", "1"]).0, 2);
}

#[tokio::test]
async fn an_incompatible_catalog_goes_in_as_a_whole_or_not_at_all() {
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");
    let copy = std::env::temp_dir().join(format!("sagactl-test-{}", Uuid::new_v4().simple()));
    let status = Command::new("cp").args(["-r", schemas, copy.to_str().unwrap()]).status().unwrap();
    assert!(status.success());
    // A field without a default cannot be read from what was written before it was there.
    let file = copy.join("shipping/ShipmentDelivered.avsc");
    let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    record["fields"].as_array_mut().unwrap().push(json!({ "name": "signed_by", "type": "string" }));
    std::fs::write(&file, record.to_string()).unwrap();
    let (code, reports, said) = sagactl(&["schemas", "push", "--dir", copy.to_str().unwrap()]);
    std::fs::remove_dir_all(&copy).unwrap();
    assert_eq!(code, 2, "{said}");
    let states: Vec<&Value> = reports.as_array().unwrap().iter().map(|report| &report["state"]).collect();
    assert_eq!(states.iter().filter(|state| **state == "incompatible").count(), 1, "{reports}");
    assert!(!states.contains(&&json!("registered")), "{reports}");
}
