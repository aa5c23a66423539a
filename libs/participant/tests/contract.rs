//! The suite for participants notices those that break the contract, and says how. One that keeps it is in each service.

#![allow(clippy::panic, reason = "a suite that notices nothing is what this fails by")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use backstitch_contracts::Catalog;
use backstitch_event_store::StreamId;
use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
use backstitch_participant::{Answer, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What its author got wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// It counts in memory what it should read from its stream.
    RemembersBesideItsStream,
    /// Whatever it does not know is passed over.
    PassesOverUnknownCommands,
    /// A compensation of nothing is answered with an event that nobody expects.
    AnswersNothingOtherwise,
    /// What was tombstoned is answered as if it were done.
    DoesWhatWasTombstoned,
    /// It says nothing.
    IsSilent,
    /// Its compensation is about another stream.
    UndoesElsewhere,
}

/// Says yes to everything, with events of the payments' topic.
struct Yes {
    flaw: Flaw,
    asked: AtomicU32,
}

#[allow(clippy::enum_variant_names, reason = "a variant's name is the event's type")]
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Event {
    PaymentProcessed(Value),
    PaymentFailed(Value),
    PaymentRefunded(Value),
}

impl DomainEvent for Event {
    fn visibility(&self) -> Visibility {
        Visibility::Published
    }
}

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

fn processed(amount: u32) -> Changes<Yes> {
    Changes::of(Event::PaymentProcessed(json!({
        "order_id": ORDER, "payment_id": ORDER, "amount": amount, "currency": "EUR", "payment_method": "card",
    })))
}

fn refunded() -> Changes<Yes> {
    let data = json!({ "order_id": ORDER, "payment_id": null, "amount": 0, "currency": "EUR" });
    Changes::of(Event::PaymentRefunded(data))
}

fn failed() -> Changes<Yes> {
    Changes::of(Event::PaymentFailed(json!({ "order_id": ORDER, "reason": "too late", "retry_possible": false })))
}

impl Participant for Yes {
    type State = ();
    type Shared = ();
    type Event = Event;
    type Command = ();
    type Heard = Nothing;
    type Timer = Nothing;
    type Call = Nothing;
    type Outcome = Nothing;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Payment"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        let stream = |category: &'static str| StreamId::of(category, ORDER);
        match message.envelope.event_type.as_str() {
            "ProcessPayment" => Ok(Route::Command { command: (), stream: stream("payment") }),
            "RefundPayment" => {
                let category = if self.flaw == Flaw::UndoesElsewhere { "refund" } else { "payment" };
                Ok(Route::Compensation { command: (), stream: stream(category), undoes: "ProcessPayment" })
            }
            _ if self.flaw == Flaw::PassesOverUnknownCommands => Ok(Route::Ignored),
            other => Err(Rejection::unknown_command(other)),
        }
    }

    fn evolve(&self, _state: &mut (), _event: &Event) {}

    fn decide(&self, _command: &(), _view: &View<'_, Self>) -> Answer<Self> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Answer::Done(match self.flaw {
            Flaw::RemembersBesideItsStream => processed(asked),
            Flaw::IsSilent => Changes::none(),
            _ => processed(1),
        })
    }

    fn compensate(&self, _command: &(), _view: &View<'_, Self>) -> Answer<Self> {
        Answer::Done(refunded())
    }

    fn nothing_to_undo(&self, _command: &(), _view: &View<'_, Self>) -> Changes<Self> {
        if self.flaw == Flaw::AnswersNothingOtherwise { failed() } else { refunded() }
    }

    fn refuse_late(&self, _command: &(), _view: &View<'_, Self>) -> Changes<Self> {
        if self.flaw == Flaw::DoesWhatWasTombstoned { processed(1) } else { failed() }
    }

    fn answered(&self, _command: &(), outcome: &Nothing, _view: &View<'_, Self>) -> Answer<Self> {
        match *outcome {}
    }
}

fn try_with(flaw: Flaw) -> Result<(), String> {
    let ask = |command: &str| Ask::new("payments.commands", command, ORDER, json!({}));
    let catalog = Catalog::embedded().map_err(|error| error.to_string())?;
    let participant = Yes { flaw, asked: AtomicU32::new(0) };
    let trial = Trial::of(participant, &catalog, "payments.events", ask("ProcessPayment"));
    let trial = trial.undone_by(ask("RefundPayment"));
    catch_unwind(AssertUnwindSafe(|| keeps_the_contract(&trial))).map_err(|said| words(&*said))
}

fn words(said: &(dyn Any + Send)) -> String {
    let text = said.downcast_ref::<String>().map(String::as_str).or_else(|| said.downcast_ref::<&str>().copied());
    text.unwrap_or_default().to_owned()
}

#[test]
fn one_that_keeps_the_contract_passes() {
    assert_eq!(try_with(Flaw::None), Ok(()));
}

#[test]
fn every_breach_of_the_contract_is_told_in_words() {
    let breaches = [
        (Flaw::RemembersBesideItsStream, "decided again, it is answered otherwise"),
        (Flaw::PassesOverUnknownCommands, "a command that nobody handles is passed over"),
        (Flaw::AnswersNothingOtherwise, "of what never happened, it is answered with other events"),
        (Flaw::DoesWhatWasTombstoned, "it came after its compensation, and is answered as if it were done"),
        (Flaw::IsSilent, "it is done, and nothing is published"),
        (Flaw::UndoesElsewhere, "are about different streams"),
    ];
    for (flaw, expected) in breaches {
        let said = try_with(flaw).err().unwrap_or_else(|| panic!("{flaw:?} is not noticed"));
        assert!(said.contains(expected), "{flaw:?}: {said}");
    }
}
