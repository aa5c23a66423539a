//! What a batch keeps of its inputs when one is rejected, or when the batch is not written.

use super::Desk;
use crate::samples::{ORDER, eternity, order_fulfilment, order_placed, order_saga, paid, reserved};

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
fn a_start_that_cannot_be_journaled_leaves_nothing_and_the_others_stay() {
    let mut desk = Desk::of(vec![order_fulfilment(), eternity()]);
    desk.hears(order_placed(ORDER));
    let (rows, journal) = (desk.rows(), desk.journal());
    let rejection = desk.rejects(reserved("order-2"));
    assert_eq!(rejection.reason, "unsendable");
    assert!(rejection.detail.contains("DelayStarted"), "{}", rejection.detail);
    assert_eq!((desk.rows(), desk.journal()), (rows, journal));
    desk.hears(order_placed("order-3"));
    assert_eq!(desk.rows().len(), 2);
    desk.commits();
    assert_eq!(desk.lane.live.len(), 2);
    assert!(desk.lane.journal.is_empty());
}

#[test]
fn an_event_rejected_by_one_saga_moves_no_other() {
    let mut desk = Desk::of(vec![order_fulfilment(), eternity()]);
    desk.hears(order_placed(ORDER));
    let (rows, journal, due) = (desk.rows(), desk.journal(), desk.due_at(order_saga()));
    assert_eq!(desk.rejects(reserved(ORDER)).reason, "unsendable");
    assert_eq!((desk.rows(), desk.journal()), (rows, journal));
    assert_eq!(desk.due_at(order_saga()), due);
    assert!(due.is_some());
}

#[test]
fn a_saga_that_was_committed_keeps_its_timer_when_an_event_is_rejected() {
    let mut desk = Desk::of(vec![order_fulfilment(), eternity()]);
    desk.hears(order_placed(ORDER));
    let due = desk.due_at(order_saga());
    desk.commits();
    desk.rejects(reserved(ORDER));
    assert_eq!((desk.rows(), desk.journal()), (vec![], vec![]));
    assert_eq!(desk.due_at(order_saga()), due);
}
