//! The definitions that ship, checked against the schemas that ship; and what a slip in them is answered with.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::path::{Path, PathBuf};

use backstitch_contracts::Catalog;
use backstitch_saga::check::Shapes;
use backstitch_saga_schemas::{FolderError, add_folder, shapes_of};
use backstitch_saga_yaml::{Document, Documents};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shipped() -> Shapes {
    shapes_of(&Catalog::embedded().unwrap()).unwrap()
}

fn order_fulfilment() -> String {
    std::fs::read_to_string(workspace().join("sagas/order-fulfilment.yaml")).unwrap()
}

/// What the order saga is answered with once `slip` stands in it instead of `right`.
fn answer(right: &str, slip: &str) -> Vec<String> {
    let text = order_fulfilment();
    assert!(text.contains(right), "`{right}` is not in the document any more");
    let document = Document::parse("order.yaml", &text.replacen(right, slip, 1)).unwrap();
    let (faults, _) = document.check(&shipped());
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn every_definition_that_ships_fits_its_schemas() {
    let checked = Documents::load(&workspace().join("sagas")).unwrap().check(&shipped()).unwrap();
    assert!(!checked.definitions.is_empty());
    assert!(checked.warnings.is_empty(), "{:#?}", checked.warnings);
}

#[test]
fn an_example_of_foreign_teams_is_usable_and_says_what_was_not_checked() {
    let checked = Documents::load(&workspace().join("sagas/examples")).unwrap().check(&shipped()).unwrap();
    assert!(checked.definitions.len() >= 3);
    let unexpected: Vec<_> = checked.warnings.iter().filter(|warning| warning.code.as_str() != "BS0301").collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let told = |topic: &str| checked.warnings.iter().any(|warning| warning.message.contains(&format!("`{topic}`")));
    assert!(told("transfers.events") && told("ledger.commands"), "{:#?}", checked.warnings);
}

#[test]
fn a_slip_in_a_name_is_answered_with_its_place_and_the_right_word() {
    assert_eq!(
        answer("amount: saga.data.total_amount", "amount: saga.data.totl_amount"),
        ["order.yaml:36:15: steps[1].with.amount: in `saga.data.totl_amount`: `OrderPlacedV3` has no field \
          `totl_amount`; did you mean `total_amount`? [BS0203]"]
    );
    assert_eq!(
        answer("done_on: PaymentProcessed", "done_on: PaymentProcesed"),
        ["order.yaml:39:14: steps[1].done_on[0].event: no schema of `payments.events` has a message \
          `PaymentProcesed`; did you mean `PaymentProcessed`? [BS0202]"]
    );
    assert_eq!(
        answer("ask: payments.commands", "ask: payment.commands\n    answers_on: payments.events"),
        ["order.yaml:32:10: steps[1].ask: no schema has the topic `payment.commands`, and one has another of nearly \
          that name; if both exist, give the schema of this one; did you mean `payments.commands`? [BS0201]"]
    );
    assert_eq!(
        answer("payment_id: steps.process_payment.payment_id", "payment_id: steps.process_payment.pay_id"),
        ["order.yaml:54:19: steps[2].with.payment_id: in `steps.process_payment.pay_id`: `PaymentProcessed` has no \
          field `pay_id`; expected one of: amount, currency, order_id, payment_id, payment_method [BS0203]"]
    );
}

#[test]
fn a_payload_that_the_command_does_not_take_is_refused_field_by_field() {
    assert_eq!(
        answer("      currency: saga.data.currency\n", ""),
        ["order.yaml:35:7: steps[1].with: `currency` is missing: `ProcessPayment` wants a text there [BS0208]"]
    );
    assert_eq!(
        answer("      currency: saga.data.currency\n", "      curency: saga.data.currency\n"),
        [
            "order.yaml:37:16: steps[1].with.curency: `ProcessPayment` has no field `curency`; did you mean \
             `currency`? [BS0209]",
            "order.yaml:35:7: steps[1].with: `currency` is missing: `ProcessPayment` wants a text there [BS0208]",
        ]
    );
    assert_eq!(
        answer("amount: saga.data.total_amount", "amount: saga.data.currency"),
        ["order.yaml:36:15: steps[1].with.amount: a whole number is wanted, and this is a text [BS0210]"]
    );
    assert_eq!(
        answer("'quantity': item.quantity", "'quantity': item.product_id"),
        ["order.yaml:21:14: steps[0].with.items[].quantity: a whole number of 32 bits is wanted, and this is a text \
          [BS0210]"]
    );
}

#[test]
fn a_compensation_is_told_when_the_steps_own_payload_does_not_suit_it() {
    let answers = answer(
        "      with: { order_id: saga.data.order_id, reason: saga.reason }\n      done_on: PaymentRefunded",
        "      done_on: PaymentRefunded",
    );
    assert!(answers.iter().any(|it| it.contains("steps[1].on_rollback.with: `reason` is missing")), "{answers:#?}");
    assert!(answers.iter().all(|it| it.contains("steps[1].on_rollback.with")), "{answers:#?}");
}

#[test]
fn conditions_and_keys_are_held_to_their_types() {
    assert_eq!(
        answer("when: event.retry_possible", "when: event.reason"),
        ["order.yaml:40:45: steps[1].retry_on[0].when: a condition is true or false, and this is a text [BS0206]"]
    );
    assert_eq!(
        answer("key: event.order_id", "key: event.order_items"),
        ["order.yaml:8:8: starts_on[0].key: a key is a text or a number, and this is a list, each a record \
          `OrderPlacedV3Item` [BS0207]"]
    );
    assert_eq!(
        answer("event.flow == 'orchestrated'\"", "event.flow == 1\""),
        ["order.yaml:7:9: starts_on[0].when: in `!has(event.flow) || event.flow == null || event.flow == 1`: \
          `event.flow` (a text) is never equal to `1` [BS0205]"]
    );
}

#[test]
fn other_teams_schemas_come_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let schema = |topic: &str| Catalog::embedded().unwrap().topic(topic).unwrap().schema.clone().unwrap();
    std::fs::write(folder.path().join("tea.events.avsc"), schema("orders.events")).unwrap();
    std::fs::write(folder.path().join("tea.commands-value.avsc"), schema("orders.commands")).unwrap();
    let mut shapes = Shapes::default();
    add_folder(&mut shapes, folder.path()).unwrap();
    assert_eq!(shapes.topics().collect::<Vec<_>>(), ["tea.commands", "tea.events"]);
    add_folder(&mut shapes, &workspace().join("schemas")).unwrap();
    assert!(shapes.topic("payments.commands").is_some());

    std::fs::write(folder.path().join("milk.events.avsc"), "\"string\"").unwrap();
    let error = add_folder(&mut shapes, folder.path()).unwrap_err();
    assert!(matches!(&error, FolderError::NoSchema { path, .. } if path.ends_with("milk.events.avsc")), "{error:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(add_folder(&mut shapes, empty.path()), Err(FolderError::Empty { .. })));
}
