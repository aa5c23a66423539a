//! Rubbish on every topic: set aside with its reason and its bytes as they came, while everything behind it goes on.

use anyhow::Result;
use backstitch_contracts::{Encoder, headers};
use backstitch_messaging::{Delivery, Record};
use serde_json::json;
use uuid::Uuid;

use crate::orders::Wish;
use crate::system::{System, system};
use crate::wire::{Wire, envelope};

const COMMANDS: [&str; 5] =
    ["orders.commands", "inventory.commands", "payments.commands", "shipping.commands", "saga.commands"];
const OTHERS: [&str; 5] = ["orders.events", "inventory.events", "payments.events", "shipping.events", "saga.inputs"];

/// Puts `value` into every partition of a topic, under a key that nobody else has.
fn put(wire: &Wire, topic: &str, value: &[u8]) -> Result<(String, i32)> {
    let key = Uuid::new_v4().to_string();
    let partitions = wire.partitions(topic)?;
    let record = |partition| Record {
        partition: Some(partition),
        ..Record::new(topic, &key, value.to_vec()).header("colour", "blue")
    };
    wire.publish((0..partitions).map(record).collect())?;
    Ok((key, partitions))
}

/// Waits until the rubbish of each partition lies among the dead letters, and looks at every one of them.
fn until_buried(
    system: &System,
    wire: &Wire,
    topic: &str,
    value: &[u8],
    reason: &str,
    put: &(String, i32),
) -> Result<()> {
    let (key, partitions) = put;
    let letters = system.until_some(&format!("the rubbish on {topic} is among its dead letters"), || {
        let letters = wire.dead_letters(topic, key)?;
        let of =
            |partition: i32| letters.iter().any(|letter| text(letter, headers::DLQ_PARTITION) == partition.to_string());
        Ok((0..*partitions).all(of).then_some(letters))
    })?;
    for letter in &letters {
        assert_eq!(letter.value.as_deref(), Some(value), "{topic}: the bytes are not what they were");
        assert_eq!(text(letter, headers::DLQ_REASON), reason, "{topic}: {}", text(letter, headers::DLQ_ERROR));
        assert_eq!(text(letter, headers::DLQ_TOPIC), topic);
        assert_eq!(text(letter, "colour"), "blue", "{topic}: the sender's own headers are kept");
        for name in
            [headers::DLQ_ERROR, headers::DLQ_GROUP, headers::DLQ_OFFSET, headers::DLQ_FINGERPRINT, headers::DLQ_AT]
        {
            assert!(!text(letter, name).is_empty(), "{topic}: a dead letter without {name}");
        }
    }
    Ok(())
}

fn text<'a>(letter: &'a Delivery, header: &str) -> &'a str {
    letter.header_text(header).unwrap_or_default()
}

/// Enough orders to pass through every lane.
fn everything_goes_on(system: &System) -> Result<()> {
    let product = system.product_with(24)?;
    let orders = system.place_all(&vec![Wish::of(&product); 24])?;
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    }
    Ok(())
}

fn buried_everywhere(value: &[u8], reason: &str) -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let topics: Vec<&str> = COMMANDS.into_iter().chain(OTHERS).collect();
    let keys = topics.iter().map(|topic| put(&wire, topic, value)).collect::<Result<Vec<_>>>()?;
    everything_goes_on(system)?;
    for (topic, key) in topics.iter().zip(&keys) {
        until_buried(system, &wire, topic, value, reason, key)?;
    }
    Ok(())
}

#[test]
fn bytes_that_are_no_message_are_set_aside_on_every_topic_and_the_lanes_go_on() -> Result<()> {
    buried_everywhere(b"hello, is this the order department?", "undecodable")
}

#[test]
fn a_schema_that_the_registry_does_not_have_is_set_aside_on_every_topic_and_the_lanes_go_on() -> Result<()> {
    buried_everywhere(b"\x00\x7f\xff\xff\xf0rubbish", "unknown-schema")
}

/// A command that is in a stranger's schema and in none of ours: one of ours under another name.
fn unknown_command(wire: &Wire, topic: &str) -> Result<Vec<u8>> {
    let order = Uuid::new_v4();
    let (known, data) = match topic {
        "orders.commands" => ("CancelOrder", json!({ "order_id": order, "reason": "none" })),
        "inventory.commands" => ("ReleaseInventory", json!({ "order_id": order, "reason": "none" })),
        "payments.commands" => ("RefundPayment", json!({ "order_id": order, "reason": "none" })),
        "shipping.commands" => ("CancelShipment", json!({ "order_id": order, "reason": "none" })),
        _ => ("StartSaga", json!({ "definition": "d", "key": "k", "data": "{}" })),
    };
    let unknown = format!("Frobnicate{known}");
    let (_, ours) = wire.schema_of(topic)?;
    let theirs = ours.replace(&format!("\"{known}\""), &format!("\"{unknown}\""));
    let id = wire.register(&format!("stranger-{topic}-value"), &theirs)?;
    Ok(Encoder::new(&theirs, id)?.encode(&envelope(&unknown, &order.to_string(), data))?)
}

#[test]
fn a_command_that_nobody_handles_is_set_aside_on_every_command_topic_and_the_lanes_go_on() -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let values = COMMANDS.iter().map(|topic| unknown_command(&wire, topic)).collect::<Result<Vec<_>>>()?;
    let keys =
        COMMANDS.iter().zip(&values).map(|(topic, value)| put(&wire, topic, value)).collect::<Result<Vec<_>>>()?;
    everything_goes_on(system)?;
    for ((topic, value), key) in COMMANDS.iter().zip(&values).zip(&keys) {
        until_buried(system, &wire, topic, value, "unknown-command", key)?;
    }
    Ok(())
}
