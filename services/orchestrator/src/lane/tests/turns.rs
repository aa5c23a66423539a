//! Sagas that wait for their turn at a participant with limits.

use backstitch_processor::{Input, Timer};
use backstitch_saga::{Direction, SagaId, command_id};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::super::SagaLane;
use super::super::turns::NEXT_TURN;
use super::{Answer, Desk};
use crate::definitions::Definitions;
use crate::samples::{CHARGES, answering, definition, message, noon, start_charge};
use crate::store::SagaRow;

const SENT: &str = "payments.commands <- ProcessPayment";

fn charge(version: u32, limits: &str) -> backstitch_saga::Definition {
    definition(&format!(
        "
saga: quick-charge
version: {version}
participants: {{ payments.commands: {{ {limits} }} }}
steps:
  - name: charge
    ask: payments.commands
    to: ProcessPayment
    done_on: PaymentProcessed
    refused_on: PaymentFailed
    on_rollback: pivot
    timeout: 10s
"
    ))
}

fn one_at_once() -> Desk {
    Desk::of(vec![charge(1, "in_flight_max: 1")])
}

fn seconds(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn saga(key: &str) -> Uuid {
    Definitions::saga_id(CHARGES, key)
}

impl Desk {
    fn charges(&mut self, key: &str) -> Answer {
        self.hears(start_charge(key))
    }

    fn pays(&mut self, key: &str) -> Answer {
        let command = command_id(SagaId::derive(CHARGES, key), "charge", None, Direction::Forward);
        let paid = message("payments.events", "PaymentProcessed", key, json!({ "order_id": key, "payment_id": "p" }));
        self.hears(answering(command, paid))
    }

    fn gives_turns(&mut self, at: DateTime<Utc>) -> Answer {
        self.now = at;
        self.decide(&Input::Timer(Timer::reminder(NEXT_TURN, at, None))).unwrap()
    }

    /// A lane that was claimed anew with these sagas.
    fn claims(&mut self, rows: Vec<SagaRow>) -> Option<Timer> {
        self.lane.share_limits(1);
        for row in rows {
            self.lane.take_in(row).unwrap();
        }
        self.lane.first_turns()
    }
}

#[test]
fn where_there_is_a_place_the_turn_comes_with_the_same_batch() {
    let answer = one_at_once().charges("c-1");
    assert_eq!(
        (answer.entries(), answer.commands()),
        (vec!["SagaStarted", "StepQueued", "StepRequested"], vec![SENT.into()])
    );
}

#[test]
fn who_waits_is_asked_for_in_the_batch_that_makes_room() {
    let mut desk = one_at_once();
    desk.charges("c-1");
    desk.now = seconds(1);
    let waits = desk.charges("c-2");
    assert_eq!((waits.entries(), waits.commands()), (vec!["SagaStarted", "StepQueued"], vec![]));
    desk.now = seconds(2);
    assert!(desk.charges("c-3").commands().is_empty());
    desk.commits();
    desk.now = seconds(60);
    let room = desk.pays("c-1");
    assert_eq!(
        (room.entries(), room.commands()),
        (vec!["StepSucceeded", "SagaCompleted", "StepRequested"], vec![SENT.into()])
    );
    assert_eq!(room.find("StepRequested").envelope.aggregate_id, saga("c-2").to_string());
    // The clock of the attempt starts now.
    assert_eq!(desk.due_at(saga("c-2")), Some(seconds(70)));
}

#[test]
fn a_silent_attempt_gives_its_place_back() {
    let mut desk = one_at_once();
    desk.charges("c-1");
    desk.now = seconds(1);
    desk.charges("c-2");
    desk.commits();
    let silent = desk.rings(saga("c-1"), seconds(10));
    assert_eq!(silent.entries(), ["StepTimedOut", "RetryScheduled", "StepRequested"]);
    assert_eq!(silent.find("StepRequested").envelope.aggregate_id, saga("c-2").to_string());
}

#[test]
fn a_batch_that_was_not_written_has_taken_no_place() {
    let mut desk = one_at_once();
    desk.charges("c-1");
    desk.aborts();
    assert_eq!(desk.charges("c-2").commands(), [SENT]);
    assert_eq!(desk.charges("c-1").commands(), [] as [&str; 0]);
}

#[test]
fn after_a_claim_the_places_taken_count_and_the_queue_stands() {
    let mut desk = one_at_once();
    desk.charges("c-1");
    desk.now = seconds(1);
    desk.charges("c-2");
    let rows = desk.rows();
    let mut next = one_at_once();
    assert!(next.claims(rows.clone()).is_some());
    assert!(next.gives_turns(seconds(2)).is_nothing());
    assert_eq!(next.pays("c-1").commands(), [SENT]);

    // Whose place was given up while nobody had the lane is asked for by the claim's own timer.
    let queued = rows.into_iter().filter(|row| row.key == "c-2").collect();
    let mut last = one_at_once();
    assert!(last.claims(queued).is_some());
    assert_eq!(last.gives_turns(seconds(2)).commands(), [SENT]);
}

#[test]
fn of_several_definitions_the_strictest_limit_counts() {
    let other = definition(
        "
saga: refund
version: 1
participants: { payments.commands: { in_flight_max: 1 } }
steps:
  - { name: refund, ask: payments.commands, to: RefundPayment, done_on: PaymentRefunded, on_rollback: nothing }
",
    );
    let mut desk = Desk::of(vec![charge(1, "in_flight_max: 5"), other]);
    assert_eq!(desk.charges("c-1").commands(), [SENT]);
    assert!(desk.charges("c-2").commands().is_empty());
}

#[test]
fn sagas_of_a_definition_that_had_limits_do_not_wait_for_ever() {
    let mut before = one_at_once();
    before.charges("c-1");
    before.charges("c-2");
    let queued = before.rows().into_iter().filter(|row| row.state.contains("\"turn\"")).collect::<Vec<_>>();
    assert_eq!(queued.len(), 1);
    let unlimited = crate::samples::quick_charge();
    let definitions = Definitions::of(vec![charge(1, "in_flight_max: 1"), definition(&unlimited_text(&unlimited))]);
    let mut desk = Desk::of(Vec::new());
    desk.lane = SagaLane::new(desk.lane.lane, definitions.into(), desk.lane.outgoing.clone());
    desk.claims(queued);
    assert_eq!(desk.gives_turns(seconds(2)).commands(), [SENT]);
}

/// The same as version 2.
fn unlimited_text(definition: &backstitch_saga::Definition) -> String {
    definition.to_canonical_json().replace("\"version\":1", "\"version\":2")
}

#[test]
fn a_rate_makes_wait_though_there_is_a_place() {
    let mut desk = Desk::of(vec![charge(1, "rate_max: 2/10s")]);
    assert_eq!(desk.charges("c-1").commands(), [SENT]);
    assert!(desk.charges("c-2").commands().is_empty());
    assert_eq!(desk.effects.rings_at(NEXT_TURN), Some(seconds(5)));
    desk.commits();
    assert!(desk.gives_turns(seconds(4)).is_nothing());
    assert_eq!(desk.gives_turns(seconds(5)).commands(), [SENT]);
}

#[test]
fn a_saga_that_stands_still_has_no_place_and_waits_for_none() {
    let mut desk = one_at_once();
    desk.charges("c-1");
    desk.now = seconds(1);
    desk.charges("c-2");
    desk.commits();
    let pause = |key: &str| crate::samples::command("PauseSaga", json!({ "saga_id": saga(key) }));
    desk.hears(pause("c-2"));
    assert!(desk.pays("c-1").commands().is_empty());
    desk.commits();
    let resume = crate::samples::command("ResumeSaga", json!({ "saga_id": saga("c-2") }));
    assert_eq!(desk.hears(resume).commands(), [SENT]);
}

#[test]
fn a_turn_that_cannot_be_taken_leaves_its_saga_stuck_and_the_place_to_the_next() {
    let letters = definition(
        "
saga: letter-writing
version: 1
participants: { letters.commands: { in_flight_max: 1 } }
starts_on: { topic: inventory.events, event: InventoryReserved, key: event.order_id }
steps:
  - { name: write, ask: letters.commands, to: WriteLetter, done_on: LetterWritten, on_rollback: nothing }
",
    );
    let mut desk = Desk::of(vec![letters]);
    for order in ["o-1", "o-2"] {
        let answer = desk.hears(crate::samples::reserved(order));
        assert_eq!(answer.entries(), ["SagaStarted", "StepQueued", "SagaStuck"]);
    }
}
