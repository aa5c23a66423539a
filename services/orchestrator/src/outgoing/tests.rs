//! What consumers read of the engine's words.

use backstitch_contracts::saga;
use backstitch_messaging::LaneId;
use backstitch_saga::{
    Command, CommandId, Direction, Effect, Emission, Event, Fact, SagaId, StepName, Timestamp, command_id,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{About, Entry, OutgoingError};
use crate::samples::{FLOW, ORDER, ORDERS, asked, headers, noon, order_fulfilment, order_saga, outgoing, read};

const CAUSE: Uuid = Uuid::from_u128(0xCA);

fn about() -> About<'static> {
    About { saga_id: order_saga(), correlation_id: FLOW, user_id: Some("ada"), now: noon() }
}

fn release() -> Command {
    let saga = SagaId::derive(ORDERS, ORDER);
    Command {
        id: command_id(saga, "reserve-inventory", None, Direction::Compensate),
        command_type: "ReleaseInventory".to_owned(),
        topic: "inventory.commands".to_owned(),
        key: ORDER.to_owned(),
        saga,
        step: StepName::from("reserve-inventory"),
        direction: Direction::Compensate,
        attempt: 5,
        try_number: 2,
        undoes: Some(asked("reserve-inventory")),
        deadline: Timestamp::from_micros(noon().timestamp_micros() + 1_500_000),
        payload: json!({ "order_id": ORDER, "reason": "the card was declined" }),
        causation_id: Some(CAUSE),
    }
}

#[test]
fn a_compensation_says_what_it_undoes_and_which_try_it_is() {
    let command = release();
    let id: CommandId = command.id;
    let record = outgoing().effect(Effect::Send(command), &about()).unwrap();
    assert_eq!((record.topic.as_str(), record.key.as_deref()), ("inventory.commands", Some(ORDER.as_bytes())));
    let headers = headers(&record);
    let expected = [
        ("saga-id", order_saga().to_string()),
        ("saga-step", "reserve-inventory".to_owned()),
        ("saga-direction", "compensate".to_owned()),
        ("saga-try", "2".to_owned()),
        ("saga-undoes", asked("reserve-inventory").to_string()),
        ("saga-deadline", "2026-01-31T12:00:01.500000Z".to_owned()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id.to_string()),
        ("ce_type", "ReleaseInventory".to_owned()),
        ("ce_source", "orchestrator".to_owned()),
        ("ce_time", "2026-01-31T12:00:00.000000Z".to_owned()),
    ];
    for (name, value) in expected {
        assert_eq!(headers.get(name), Some(&value.as_str()), "{name}");
    }
    let read = read(&record);
    assert_eq!((read.event_id, read.causation_id, read.correlation_id), (id.as_uuid(), Some(CAUSE), FLOW));
    assert_eq!((read.user_id.as_deref(), read.metadata["source"].as_str()), (Some("ada"), "orchestrator"));
    assert_eq!(read.data["reason"], "the card was declined");
}

#[test]
fn an_emitted_event_is_named_with_its_version() {
    let emission = Emission {
        event_id: Uuid::from_u128(5),
        event_type: "OrderPlaced".to_owned(),
        event_version: 3,
        topic: "orders.events".to_owned(),
        key: ORDER.to_owned(),
        saga: SagaId::derive(ORDERS, ORDER),
        step: StepName::from("tell"),
        payload: crate::samples::order_placed(ORDER).envelope.data,
        causation_id: Some(CAUSE),
    };
    let record = outgoing().effect(Effect::Emit(emission), &about()).unwrap();
    let headers = headers(&record);
    assert_eq!((headers["ce_type"], headers["saga-step"]), ("OrderPlacedV3", "tell"));
    let read = read(&record);
    assert_eq!((read.event_type.as_str(), read.event_version), ("OrderPlaced", 3));
    assert_eq!((read.event_id, read.causation_id), (Uuid::from_u128(5), Some(CAUSE)));
}

#[test]
fn a_journal_entry_says_whose_it_is_and_what_caused_it() {
    let definition = order_fulfilment();
    let event = Event {
        at: Timestamp::from_micros(noon().timestamp_micros()),
        fact: Fact::StartRefused { reason: "cancelled".to_owned() },
    };
    let (kind, json) = (event.kind(), event.to_json().unwrap());
    let entry = |seq| Entry {
        definition: &definition,
        lane: LaneId(3),
        seq,
        kind,
        json: &json,
        caused_by: Some(CAUSE),
        input: Some("orders.events/3/41"),
    };
    let record = outgoing().journal(&entry(7), &about()).unwrap();
    assert_eq!(record.topic, saga::EVENTS);
    assert_eq!(record.key, Some(order_saga().to_string().into_bytes()));
    let first = read(&record);
    assert_eq!((first.event_type.as_str(), first.causation_id), ("StartRefused", Some(CAUSE)));
    let metadata = |name: &str| first.metadata[name].as_str();
    assert_eq!((metadata("definition"), metadata("seq"), metadata("lane")), (ORDERS, "7", "3"));
    assert_eq!(metadata("input"), "orders.events/3/41");
    let again = read(&outgoing().journal(&entry(7), &about()).unwrap());
    let next = read(&outgoing().journal(&entry(8), &about()).unwrap());
    assert_eq!(again.event_id, first.event_id);
    assert_ne!(next.event_id, first.event_id);
}

#[test]
fn a_definition_is_kept_under_its_hash() {
    let definition = order_fulfilment();
    let record = outgoing().definition(&definition, noon()).unwrap();
    assert_eq!((record.topic.as_str(), record.key.as_deref()), (saga::DEFINITIONS, Some(definition.hash().as_bytes())));
    let read = read(&record);
    let field = |name: &str| read.data[name].as_str().unwrap().to_owned();
    assert_eq!((field("hash"), field("name")), (definition.hash().to_owned(), ORDERS.to_owned()));
    let stored = backstitch_saga::Definition::from_canonical_json(&field("body")).unwrap();
    assert_eq!(stored, definition);
}

#[test]
fn a_command_to_a_topic_without_a_schema_names_the_topic() {
    let command = Command { topic: "letters.commands".to_owned(), ..release() };
    let error = outgoing().effect(Effect::Send(command), &about()).unwrap_err();
    assert!(matches!(&error, OutgoingError::NoSchema { topic } if topic == "letters.commands"), "{error:?}");
}

#[test]
fn a_command_that_does_not_fit_names_its_field() {
    let command = Command { payload: json!({ "order_id": ORDER, "reason": Value::Null }), ..release() };
    let error = outgoing().effect(Effect::Send(command), &about()).unwrap_err();
    assert!(!error.to_string().contains("reason"), "{error}");
    let line = backstitch_processor::chain(&error);
    for word in ["ReleaseInventory", "inventory.commands", "data.reason"] {
        assert!(line.contains(word), "{line}");
    }
}
