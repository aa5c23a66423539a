//! What a batch keeps of its inputs when one is rejected, or when the batch is not written.

use serde_json::json;

use super::Desk;
use crate::samples::{ORDER, letter_writing, order_fulfilment, order_of, order_placed, order_saga, paid, reserved};

#[test]
fn an_aborted_batch_decided_again_says_the_same() {
    let mut desk = Desk::new();
    let batch = [order_placed(ORDER), order_placed("order-2"), reserved(ORDER)];
    let first: Vec<_> = batch.iter().map(|message| desk.hears(message.clone())).collect();
    let (rows, journal, due) = (desk.rows(), desk.journal(), desk.due_at(order_saga()));
    desk.aborts();
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));

    let again: Vec<_> = batch.iter().map(|message| desk.hears(message.clone())).collect();
    assert_eq!(again, first);
    assert_eq!((desk.rows(), desk.journal(), desk.due_at(order_saga())), (rows, journal, due));
}

#[test]
fn an_aborted_batch_leaves_sagas_as_they_were_before_it() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    desk.commits();
    let first = desk.hears(reserved(ORDER));
    desk.aborts();
    assert!(desk.hears(paid(ORDER)).is_nothing());
    assert_eq!(desk.hears(reserved(ORDER)), first);
}

#[test]
fn a_start_that_cannot_be_sent_leaves_nothing_and_the_others_stay() {
    let mut desk = Desk::new();
    desk.hears(order_placed(ORDER));
    let (rows, journal) = (desk.rows(), desk.journal());
    let rejection = desk.rejects(order_of("order-2", json!("a dozen")));
    assert_eq!(rejection.reason, "unsendable");
    assert!(rejection.detail.contains("ReserveInventory"), "{}", rejection.detail);
    assert_eq!((desk.rows(), desk.journal()), (rows, journal));
    desk.hears(order_placed("order-3"));
    assert_eq!(desk.rows().len(), 2);
    desk.commits();
    assert_eq!(desk.lane.live.len(), 2);
    assert!(desk.lane.journal.is_empty());
}

#[test]
fn an_order_that_was_rejected_can_be_placed_well() {
    let mut desk = Desk::new();
    desk.rejects(order_of(ORDER, json!("a dozen")));
    let answer = desk.hears(order_placed(ORDER));
    assert_eq!(answer.places(), ["1", "2"]);
    assert_eq!(desk.journal(), [(order_saga(), 1), (order_saga(), 2)]);
}

#[test]
fn an_event_rejected_by_one_saga_moves_no_other() {
    let mut desk = Desk::of(vec![order_fulfilment(), letter_writing()]);
    desk.hears(order_placed(ORDER));
    let (rows, journal, due) = (desk.rows(), desk.journal(), desk.due_at(order_saga()));
    let rejection = desk.rejects(reserved(ORDER));
    assert_eq!(rejection.reason, "unsendable");
    assert!(rejection.detail.contains("letters.commands"), "{}", rejection.detail);
    assert_eq!((desk.rows(), desk.journal()), (rows, journal));
    assert_eq!(desk.due_at(order_saga()), due);
    assert!(due.is_some());
}

#[test]
fn a_saga_that_was_committed_keeps_its_timer_when_an_event_is_rejected() {
    let mut desk = Desk::of(vec![order_fulfilment(), letter_writing()]);
    desk.hears(order_placed(ORDER));
    let due = desk.due_at(order_saga());
    desk.commits();
    desk.rejects(reserved(ORDER));
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));
    assert_eq!(desk.due_at(order_saga()), due);
}
