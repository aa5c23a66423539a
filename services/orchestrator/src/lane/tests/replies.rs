//! Whose answer a message is, and what it does to that saga.

use serde_json::json;

use super::Desk;
use crate::samples::{
    ORDER, answering, asked, by, keyed, letter_writing, message, order_fulfilment, order_placed, order_saga, paid,
    reserved, start_charge,
};

fn waiting_for_inventory() -> Desk {
    let mut desk = Desk::new();
    desk.hears(by("ada", order_placed(ORDER)));
    desk.commits();
    desk
}

#[test]
fn an_answer_moves_the_saga_whose_command_it_names() {
    let mut desk = waiting_for_inventory();
    let mut nameless = reserved(ORDER);
    nameless.envelope.data["order_id"] = json!("another");
    let answer = desk.hears(answering(asked("reserve-inventory"), nameless.clone()));
    assert_eq!(answer.entries(), ["StepSucceeded", "StepRequested"]);
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
    let asks = answer.find("ProcessPayment");
    assert_eq!(asks.envelope.causation_id, Some(nameless.envelope.event_id));
    assert_eq!(asks.envelope.event_id, asked("process-payment").as_uuid());
}

#[test]
fn an_answer_that_names_no_command_moves_the_saga_of_its_key() {
    let mut desk = waiting_for_inventory();
    let answer = desk.hears(keyed(b"shelf-9", reserved(ORDER)));
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
}

#[test]
fn an_answer_about_another_order_changes_nothing() {
    let mut desk = waiting_for_inventory();
    assert!(desk.hears(reserved("order-2")).is_nothing());
}

#[test]
fn an_answer_that_came_already_changes_nothing() {
    let mut desk = waiting_for_inventory();
    let answer = answering(asked("reserve-inventory"), reserved(ORDER));
    assert!(!desk.hears(answer.clone()).is_nothing());
    assert!(desk.hears(answer).is_nothing());
}

#[test]
fn an_answer_to_a_step_that_is_not_open_changes_nothing() {
    let mut desk = waiting_for_inventory();
    assert!(desk.hears(answering(asked("process-payment"), paid(ORDER))).is_nothing());
    assert_eq!(desk.rows(), []);
}

#[test]
fn an_event_for_a_saga_of_another_definition_is_skipped() {
    let mut desk = Desk::new();
    desk.hears(start_charge(ORDER));
    desk.commits();
    assert!(desk.hears(reserved(ORDER)).is_nothing());
    assert_eq!(desk.rows(), []);
}

#[test]
fn a_step_that_reads_no_key_is_moved_only_by_answers_to_its_own_command() {
    let mut desk = waiting_for_inventory();
    desk.hears(start_charge(ORDER));
    desk.hears(reserved(ORDER));
    desk.commits();
    desk.hears(answering(asked("process-payment"), paid(ORDER)));
    let moved: Vec<_> = desk.rows().into_iter().map(|row| row.id).collect();
    assert_eq!(moved, [order_saga()]);
}

#[test]
fn an_event_without_a_saga_is_skipped() {
    let mut desk = Desk::new();
    assert!(desk.hears(reserved(ORDER)).is_nothing());
    let stock = message("inventory.events", "StockReceived", "lamp", json!({ "product_id": "lamp" }));
    assert!(desk.hears(stock).is_nothing());
}

#[test]
fn journal_entries_are_numbered_without_gaps_over_batches() {
    let mut desk = Desk::new();
    let placed = desk.hears(order_placed(ORDER));
    assert_eq!(placed.places(), ["1", "2"]);
    desk.commits();
    assert!(desk.hears(order_placed(ORDER)).is_nothing());
    let held = desk.hears(reserved(ORDER));
    let charged = desk.hears(paid(ORDER));
    assert_eq!((held.places(), charged.places()), (vec!["3", "4"], vec!["5", "6"]));
    assert_eq!(desk.journal(), [3, 4, 5, 6].map(|place| (order_saga(), place)));
}

#[test]
fn a_journal_entry_says_where_its_cause_was_read() {
    let mut desk = waiting_for_inventory();
    let cause = reserved(ORDER);
    let answer = desk.hears(cause.clone());
    let entry = &answer.find("StepSucceeded").envelope;
    assert_eq!(entry.metadata["input"], "inventory.events/3/41");
    assert_eq!(entry.causation_id, Some(cause.envelope.event_id));
    assert_eq!(entry.user_id.as_deref(), Some("ada"));
}

#[test]
fn a_saga_read_back_from_its_row_goes_on_where_it_was() {
    let mut before = Desk::new();
    before.hears(by("ada", order_placed(ORDER)));
    let row = before.rows().remove(0);
    before.commits();
    let mut after = Desk::new();
    after.recalls(row);
    let expected = before.hears(reserved(ORDER));
    assert_eq!(after.hears(reserved(ORDER)), expected);
    assert_eq!(after.rows(), before.rows());
    assert_eq!(expected.find("ProcessPayment").envelope.user_id.as_deref(), Some("ada"));
}

#[test]
fn one_event_may_move_one_saga_and_begin_another() {
    let text = serde_json::to_string(letter_writing().spec()).unwrap();
    let text = text.replace("letters.commands", "orders.commands").replace("WriteLetter", "ConfirmOrder");
    let with = "\"name\":\"write\",\"with\":{\"order_id\":\"saga.data.order_id\",\"payment_id\":\"'none'\",\
                \"reserved_until\":\"saga.data.reserved_until\"}";
    let confirming = crate::samples::definition(&text.replace("\"name\":\"write\"", with));
    let mut desk = Desk::of(vec![order_fulfilment(), confirming]);
    desk.hears(order_placed(ORDER));
    let answer = desk.hears(reserved(ORDER));
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment", "orders.commands <- ConfirmOrder"]);
    assert_eq!(desk.rows().len(), 2);
}
