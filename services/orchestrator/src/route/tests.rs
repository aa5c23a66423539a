//! What a message is, and to which sagas; and where it is at home.

use backstitch_processor::{Message, Rejection};
use backstitch_saga::{By, Input, SagaId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Target, flow_keys, targets};
use crate::definitions::Definitions;
use crate::samples::{
    CHARGES, FLOW, ORDER, ORDERS, by, command, keyed, letter_writing, message, order_choreographed, order_fulfilment,
    order_of, order_placed, order_saga, paid, quick_charge, reserved, start_charge,
};

fn definitions() -> Definitions {
    Definitions::of(vec![order_fulfilment(), quick_charge()])
}

fn only_target(message: &Message) -> Target {
    let mut found = targets(&definitions(), message).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn rejection(message: &Message) -> Rejection {
    targets(&definitions(), message).unwrap_err()
}

fn homes(message: &Message) -> Vec<String> {
    flow_keys(&definitions(), message).into_iter().collect()
}

#[test]
fn an_event_that_starts_a_saga_is_at_home_where_its_key_is() {
    assert_eq!(homes(&keyed(b"customer-7", order_placed(ORDER))), [ORDER]);
}

#[test]
fn an_answer_is_at_home_where_the_key_inside_it_is() {
    assert_eq!(homes(&keyed(b"shelf-9", reserved(ORDER))), [ORDER]);
}

#[test]
fn what_starts_one_saga_and_answers_another_is_at_home_where_each_of_them_is() {
    let definitions = Definitions::of(vec![order_fulfilment(), letter_writing()]);
    let both = [ORDER.to_owned(), format!("letter about {ORDER}")];
    assert_eq!(flow_keys(&definitions, &reserved(ORDER)), both.clone().into());
    let begun = |elsewhere: &[String]| {
        let message = Message { elsewhere: elsewhere.to_vec(), ..reserved(ORDER) };
        let found = targets(&definitions, &message).unwrap();
        found.iter().filter(|target| matches!(target, Target::Begin { .. })).count()
    };
    assert_eq!(begun(&both[..1]), 1, "begun where the letter is at home");
    assert_eq!(begun(&both[1..]), 0, "and nowhere else");
}

#[test]
fn an_event_that_says_no_key_is_at_home_where_its_record_key_is() {
    let stock = message("inventory.events", "StockReceived", "lamp", json!({ "product_id": "lamp" }));
    assert_eq!(homes(&stock), ["lamp"]);
    let nameless = message("inventory.events", "InventoryReserved", ORDER, json!({}));
    assert_eq!(homes(&nameless), [ORDER]);
}

#[test]
fn an_event_whose_only_key_is_no_text_stays_where_it_arrived() {
    let stock = message("inventory.events", "StockReceived", "lamp", json!({}));
    assert_eq!(homes(&keyed(&[0xff, 0xfe], stock)), [""; 0]);
}

#[test]
fn a_command_is_at_home_where_the_key_is_that_it_names() {
    assert_eq!(homes(&start_charge("42")), ["42"]);
    let by_id = command("PauseSaga", json!({ "saga_id": order_saga(), "key": null }));
    assert_eq!(homes(&by_id), ["whatever"]);
}

#[test]
fn a_placed_order_begins_the_saga_of_its_key() {
    let found = targets(&definitions(), &by("ada", order_placed(ORDER))).unwrap();
    let Some(Target::Begin { saga_id, definition, key, input: Input::Start(start) }) = found.last() else {
        panic!("nothing begins: {found:?}");
    };
    assert_eq!((*saga_id, definition.as_str(), key.as_str()), (order_saga(), ORDERS, ORDER));
    assert_eq!((start.key.as_str(), start.correlation_id, start.user_id.as_deref()), (ORDER, FLOW, Some("ada")));
    let started_by = start.started_by.as_ref().unwrap();
    assert_eq!((started_by.topic.as_str(), started_by.event_type.as_str()), ("orders.events", "OrderPlaced"));
    assert_eq!(start.data["order_items"][0]["product_id"], "lamp");
}

#[test]
fn an_order_that_the_services_drive_themselves_begins_nothing() {
    let mut placed = order_placed(ORDER);
    placed.envelope.data["flow"] = json!("choreographed");
    let found = targets(&definitions(), &placed).unwrap();
    assert!(!found.iter().any(|target| matches!(target, Target::Begin { .. })), "{found:?}");
}

#[test]
fn a_start_whose_key_cannot_be_told_is_rejected() {
    let mut placed = order_of(ORDER, json!(1));
    placed.envelope.data = json!({ "flow": "orchestrated" });
    let rejection = rejection(&placed);
    assert_eq!(rejection.reason, "invalid");
    assert!(rejection.detail.contains(ORDERS), "{}", rejection.detail);
}

#[test]
fn an_answer_concerns_the_sagas_of_the_key_inside_it_and_of_its_record_key() {
    let found = targets(&Definitions::of(vec![order_fulfilment()]), &keyed(b"shelf-9", reserved(ORDER))).unwrap();
    let concerned: Vec<_> = found.iter().map(Target::saga_id).collect();
    assert_eq!(concerned, [order_saga(), SagaId::derive(ORDERS, "shelf-9").as_uuid()]);
}

#[test]
fn an_answer_says_its_try_in_its_metadata_or_else_in_the_header_of_its_command() {
    let try_of = |message: &Message| match only_target(message) {
        Target::Continue { input: Input::Reply(reply), .. } => reply.answers_try,
        other => panic!("no reply: {other:?}"),
    };
    let silent = reserved(ORDER);
    assert_eq!(try_of(&silent), None);
    let mut foreign = silent.clone();
    foreign.delivery.headers.push(("saga-try".into(), b"2".to_vec()));
    assert_eq!(try_of(&foreign), Some(2));
    let mut ours = foreign;
    ours.envelope.metadata.insert("try".to_owned(), "3".to_owned());
    assert_eq!(try_of(&ours), Some(3));
}

#[test]
fn an_event_that_no_definition_reads_concerns_nobody() {
    let stock = message("inventory.events", "StockReceived", ORDER, json!({ "order_id": ORDER }));
    assert_eq!(targets(&definitions(), &stock).unwrap(), []);
    let elsewhere = Message { topic: "shipping.events".to_owned(), ..paid(ORDER) };
    assert_eq!(targets(&definitions(), &elsewhere).unwrap(), []);
}

#[test]
fn starting_an_unknown_definition_is_answered_with_the_known_ones() {
    let start = command("StartSaga", json!({ "definition": "order-fullfilment", "key": "42", "data": "{}" }));
    let rejection = rejection(&start);
    assert_eq!(rejection.reason, "unknown-definition");
    for word in ["`order-fullfilment`", "order-fulfilment, quick-charge"] {
        assert!(rejection.detail.contains(word), "{}", rejection.detail);
    }
}

#[test]
fn a_start_without_a_key_or_with_unreadable_data_is_rejected() {
    let too_large = format!("{{\"note\": \"{}\"}}", "x".repeat(64 * 1024));
    for (key, data) in [("", "{}"), ("42", "lamp"), ("42", too_large.as_str())] {
        let start = command("StartSaga", json!({ "definition": CHARGES, "key": key, "data": data }));
        assert_eq!(rejection(&start).reason, "invalid");
    }
}

#[test]
fn a_command_that_nobody_handles_is_rejected() {
    assert_eq!(rejection(&command("ReviveSaga", json!({}))).reason, "unknown-command");
}

#[test]
fn a_command_that_names_no_saga_is_rejected() {
    for data in [json!({}), json!({ "definition": ORDERS }), json!({ "key": ORDER })] {
        assert_eq!(rejection(&command("PauseSaga", data)).reason, "invalid");
    }
    assert_eq!(rejection(&command("PauseSaga", json!({ "saga_id": "the third" }))).reason, "invalid");
}

#[test]
fn a_person_names_a_saga_by_its_id_or_by_definition_and_key() {
    for address in [json!({ "saga_id": order_saga() }), json!({ "definition": ORDERS, "key": ORDER })] {
        let Target::Continue { saga_id, input, at_step } = only_target(&by("ann", command("PauseSaga", address)))
        else {
            panic!("a pause begins nothing");
        };
        assert_eq!((saga_id, at_step), (order_saga(), None));
        assert_eq!(input, Input::Pause { by: By { who: "ann".to_owned(), why: None } });
    }
}

#[test]
fn each_command_of_a_person_is_what_it_says_with_its_reason_and_step() {
    let ann = || By { who: "ann".to_owned(), why: Some("the bank called".to_owned()) };
    let expected = [
        ("CancelSaga", Input::Cancel { by: ann() }),
        ("PauseSaga", Input::Pause { by: ann() }),
        ("ResumeSaga", Input::Resume { by: ann() }),
        ("RetrySaga", Input::Retry { by: ann() }),
        ("SkipStep", Input::Skip { by: ann() }),
        ("AbandonSaga", Input::Abandon { by: ann() }),
    ];
    for (name, expected) in expected {
        let data = json!({ "saga_id": order_saga(), "step": "charge", "reason": "the bank called" });
        let target = only_target(&by("ann", command(name, data)));
        let at_step = Some("charge".to_owned());
        assert_eq!(target, Target::Continue { saga_id: order_saga(), input: expected, at_step });
    }
}

#[test]
fn a_person_names_the_definition_that_a_saga_is_to_go_on_under() {
    let data = json!({ "definition": ORDERS, "key": ORDER, "to_hash": "abc", "reason": "a better way" });
    let by_ann = By { who: "ann".to_owned(), why: Some("a better way".to_owned()) };
    let target = only_target(&by("ann", command("MigrateSaga", data)));
    assert_eq!(target, Target::Move { saga_id: order_saga(), to: "abc".to_owned(), by: by_ann });
    assert_eq!(rejection(&command("MigrateSaga", json!({ "saga_id": order_saga() }))).reason, "invalid");
}

#[test]
fn a_program_that_commands_is_known_by_its_source() {
    let target = only_target(&command("PauseSaga", json!({ "saga_id": order_saga() })));
    let Target::Continue { input: Input::Pause { by }, .. } = target else { panic!("{target:?}") };
    assert_eq!(by.who, "a test");
}

#[test]
fn a_cancel_by_definition_and_key_may_come_before_the_start() {
    let named = |definition: &str| command("CancelSaga", json!({ "definition": definition, "key": ORDER }));
    assert!(matches!(only_target(&named(ORDERS)), Target::Begin { saga_id, .. } if saga_id == order_saga()));
    assert!(matches!(only_target(&named("retired")), Target::Continue { .. }));
    let by_id = command("CancelSaga", json!({ "saga_id": Uuid::from_u128(9) }));
    assert!(matches!(only_target(&by_id), Target::Continue { .. }));
}

#[test]
fn a_signal_brings_its_data_to_the_saga_it_names() {
    let data = json!({ "saga_id": order_saga(), "signal": "approved", "data": "{\"limit\":3}" });
    let Target::Continue { saga_id, input: Input::Signal(signal), .. } = only_target(&command("SignalSaga", data))
    else {
        panic!("no signal");
    };
    assert_eq!((saga_id, signal.name.as_str(), &signal.data), (order_saga(), "approved", &json!({ "limit": 3 })));
    let bare: Value = json!({ "saga_id": order_saga(), "signal": "approved" });
    let Target::Continue { input: Input::Signal(signal), .. } = only_target(&command("SignalSaga", bare)) else {
        panic!("no signal");
    };
    assert_eq!(signal.data, json!({}));
}

#[test]
fn any_event_of_an_observed_flow_begins_its_saga_and_no_event_of_another_flow_does() {
    let definitions = Definitions::of(vec![order_fulfilment(), order_choreographed()]);
    let mut event = reserved(ORDER);
    let observing = |found: Vec<Target>| {
        let seen = |target: &&Target| matches!(target, Target::Begin { input: Input::Seen(_), .. });
        found.iter().filter(seen).map(Target::saga_id).collect::<Vec<_>>()
    };
    assert_eq!(observing(targets(&definitions, &event).unwrap()), Vec::<Uuid>::new());
    event.envelope.metadata.insert("flow".to_owned(), "choreographed".to_owned());
    let id = SagaId::derive("order-choreographed", ORDER).as_uuid();
    assert_eq!(observing(targets(&definitions, &event).unwrap()), [id]);
    event.elsewhere = vec![ORDER.to_owned()];
    assert_eq!(
        observing(targets(&definitions, &event).unwrap()),
        Vec::<Uuid>::new(),
        "it is begun where it is at home"
    );
}
