//! What a person's wish that a saga goes on under another definition leads to.

use chrono::TimeDelta;
use serde_json::json;

use super::{Answer, Desk};
use crate::samples::{
    ORDER, ORDERS, by, command, keyed, later_order_fulfilment, noon, order_fulfilment, order_placed, order_saga, paid,
    quick_charge, reserved,
};
use crate::store::SagaRow;

/// An order that is reserved, where a later version is deployed that pays by another command.
fn reserved_order() -> (Desk, String) {
    let later = later_order_fulfilment(r#""to":"ConfirmOrder""#, r#""to":"PlaceOrder""#);
    let hash = later.hash().to_owned();
    let mut desk = Desk::of(vec![order_fulfilment(), later, quick_charge()]);
    // The newest one starts sagas: this one began before it was deployed.
    let mut before = Desk::new();
    before.hears(order_placed(ORDER));
    before.hears(reserved(ORDER));
    let row = before.rows().remove(0);
    desk.recalls(row);
    (desk, hash)
}

fn ann_moves_it(desk: &mut Desk, hash: &str) -> Answer {
    let data = json!({ "definition": ORDERS, "key": ORDER, "to_hash": hash, "reason": "a better way" });
    desk.hears(by("ann", command("MigrateSaga", data)))
}

fn row(desk: &Desk) -> SagaRow {
    desk.rows().remove(0)
}

#[test]
fn a_saga_that_was_moved_goes_on_under_the_other_definition() {
    let (mut desk, hash) = reserved_order();
    let answer = ann_moves_it(&mut desk, &hash);
    assert_eq!((answer.entries(), answer.commands()), (vec!["DefinitionMoved"], vec![]));
    let entry = &answer.find("DefinitionMoved").envelope;
    assert_eq!(entry.user_id.as_deref(), Some("ann"));
    assert_eq!(entry.data["to"], json!(hash));
    assert_eq!((entry.data["from"].as_str(), &entry.data["version"]), (Some(order_fulfilment().hash()), &json!(2)));
    assert_eq!((row(&desk).definition_hash, row(&desk).seq), (hash, 5));
    assert_eq!(desk.due_at(order_saga()), Some(noon() + TimeDelta::seconds(30)), "its clock runs on");
    desk.commits();
    // Its command no longer fits what it says, which shows under which definition it is.
    let answer = desk.hears(paid(ORDER));
    assert_eq!(answer.entries(), ["StepSucceeded", "SagaStuck"]);
    assert!(row(&desk).reason.unwrap().contains("PlaceOrder"));
}

#[test]
fn a_moved_saga_is_found_again_under_its_definition_after_a_claim() {
    let (mut desk, hash) = reserved_order();
    ann_moves_it(&mut desk, &hash);
    let stored = row(&desk);
    let (mut after, _) = reserved_order();
    after.recalls(stored.clone());
    assert!(after.hears(paid(ORDER)).find("SagaStuck").envelope.data["reason"].to_string().contains("PlaceOrder"));
    assert_eq!(row(&after).definition_hash, hash);
}

#[test]
fn a_saga_that_cannot_move_stays_and_says_why() {
    let (mut desk, _) = reserved_order();
    let before = order_fulfilment().hash().to_owned();
    let answer = ann_moves_it(&mut desk, quick_charge().hash());
    assert_eq!(answer.entries(), ["MoveRefused"]);
    let entry = &answer.find("MoveRefused").envelope;
    assert_eq!(entry.data["reason"], "it is a saga of `order-fulfilment` and cannot become one of `quick-charge`");
    assert_eq!(row(&desk).definition_hash, before);
    let answer = ann_moves_it(&mut desk, "no-such");
    let reason = answer.find("MoveRefused").envelope.data["reason"].to_string();
    assert!(reason.contains("no definition with the hash `no-such` is known"), "{reason}");
    assert!(ann_moves_it(&mut desk, &before).is_nothing(), "it is there already");
}

#[test]
fn a_wish_to_move_a_saga_that_is_not_here_changes_nothing_or_is_sent_to_its_home() {
    let (mut home, hash) = reserved_order();
    let mut elsewhere = Desk::new();
    assert!(ann_moves_it(&mut elsewhere, &hash).is_nothing());
    ann_moves_it(&mut home, &hash);
    elsewhere.hears_of(&row(&home));
    let wish = by("ann", command("MigrateSaga", json!({ "saga_id": order_saga(), "to_hash": hash })));
    let sent = elsewhere.passes_on(wish.clone());
    assert_eq!(sent, [("saga.commands".to_owned(), Some(ORDER.as_bytes().to_vec()))]);
    assert_eq!(elsewhere.passes_on(keyed(ORDER.as_bytes(), wish)), []);
}

#[test]
fn a_move_that_is_not_written_never_happened() {
    let (mut desk, hash) = reserved_order();
    let first = ann_moves_it(&mut desk, &hash);
    desk.aborts();
    assert_eq!(desk.hears(paid(ORDER)).commands(), ["orders.commands <- ConfirmOrder"]);
    desk.aborts();
    assert_eq!(ann_moves_it(&mut desk, &hash), first);
}
