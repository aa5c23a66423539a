//! What becomes of a saga whose next command or event fits no schema: it asks for a person, and nothing is lost.

use chrono::TimeDelta;
use serde_json::json;

use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::samples::{
    ORDER, ORDERS, by, command, definition, letter_writing, noon, order_fulfilment, order_of, order_placed, order_saga,
    reserved,
};

/// After a minute it says something on a topic of which nobody has a schema.
fn minute(step: &str) -> Desk {
    let text = format!("saga: minute\nversion: 1\nsteps: [{{ name: wait, delay: 1m }}, {step}]");
    let mut desk = Desk::of(vec![definition(&text)]);
    desk.hears(command("StartSaga", json!({ "definition": "minute", "key": "42", "data": "{}" })));
    desk.commits();
    desk
}

const WRITE: &str =
    "{ name: write, ask: letters.commands, to: WriteLetter, done_on: LetterWritten, on_rollback: nothing }";
const TELL: &str = "{ name: tell, emit: { event: Told, topic: letters.events, with: { key: saga.key } } }";

/// An order of a dozen, which is no number.
fn unreadable_order() -> Desk {
    let mut desk = Desk::new();
    let answer = desk.hears(by("ada", order_of(ORDER, json!("a dozen"))));
    assert_eq!((answer.entries(), answer.commands()), (vec!["SagaStarted", "SagaStuck"], vec![]));
    desk
}

fn says(desk: &mut Desk, command_type: &str) -> Answer {
    desk.hears(by("ann", command(command_type, json!({ "definition": ORDERS, "key": ORDER }))))
}

#[test]
fn an_order_whose_command_fits_no_schema_is_stuck_and_says_what_does_not_fit() {
    let mut desk = unreadable_order();
    let row = desk.rows().remove(0);
    let reason = row.reason.unwrap();
    assert_eq!(row.status, "stuck");
    assert!(reason.contains("`ReserveInventory` does not fit the schema of `inventory.commands`"), "{reason}");
    assert!(reason.contains("quantity"), "{reason}");
    assert_eq!(desk.due_at(order_saga()), None);
    desk.commits();
    assert!(desk.lane.stuck.contains(&order_saga()));
}

#[test]
fn what_was_never_sent_is_not_undone() {
    let mut desk = unreadable_order();
    let answer = says(&mut desk, "CancelSaga");
    assert_eq!(answer.commands(), ["orders.commands <- CancelOrder"]);
}

#[test]
fn a_person_settles_skips_or_gives_up_what_cannot_be_sent() {
    let mut desk = unreadable_order();
    assert_eq!(says(&mut desk, "RetrySaga").entries(), ["SagaUnstuck", "SagaStuck"], "it does not fit yet");
    let answer = says(&mut desk, "SkipStep");
    assert_eq!(answer.entries(), ["SagaUnstuck", "StepSkipped", "StepRequested"]);
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
    assert_eq!(says(&mut unreadable_order(), "AbandonSaga").entries(), ["SagaAbandoned"]);
}

#[test]
fn an_answer_that_leads_to_what_cannot_be_sent_is_heard_by_all_it_concerns() {
    let mut desk = Desk::of(vec![order_fulfilment(), letter_writing()]);
    desk.hears(order_placed(ORDER));
    let answer = desk.hears(reserved(ORDER));
    assert_eq!(answer.commands(), ["payments.commands <- ProcessPayment"]);
    assert_eq!(answer.entries(), ["StepSucceeded", "StepRequested", "SagaStarted", "SagaStuck"]);
    assert_eq!(answer.find("SagaStuck").envelope.data["step"], "write");
}

#[test]
fn a_timer_that_leads_to_what_cannot_be_sent_rings_once() {
    let saga = Definitions::saga_id("minute", "42");
    for (step, name) in [(WRITE, "write"), (TELL, "tell")] {
        let mut desk = minute(step);
        let answer = desk.rings(saga, noon() + TimeDelta::minutes(1));
        assert_eq!((answer.entries(), answer.commands()), (vec!["StepSucceeded", "SagaStuck"], vec![]));
        assert_eq!(answer.find("SagaStuck").envelope.data["step"], name);
        assert_eq!((desk.due_at(saga), desk.rows()[0].status.as_str()), (None, "stuck"));
    }
}
