//! The example sagas, told as stories: groups, conditions, pivots, delays, waiting for people.

use std::path::Path;
use std::time::Duration;

use backstitch_saga::Effect;
use backstitch_testkit::{Specimen, started};
use serde_json::json;

fn example(name: &str) -> Specimen {
    Specimen::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/examples"), name)
}

#[test]
fn a_trip_is_booked_in_parallel_and_announced() {
    started(&example("travel-booking"))
        .done("find-hotel")
        .done("hold-flights")
        .done("book-room")
        .done("rent-car")
        .done("charge-card")
        .reads(
            "
            flights <- HoldFlights
            hotels <- FindHotel
            hotels <- BookRoom
            cars <- RentCar
            cards <- ChargeCard
            trips.events <- TripBooked
            completed
            ",
        );
}

#[test]
fn a_trip_without_a_car_skips_it() {
    let mut data = example("travel-booking").start_data().clone();
    data["wants_car"] = json!(false);
    started(&example("travel-booking").starting_with(data))
        .done("hold-flights")
        .done("find-hotel")
        .done("book-room")
        .done("charge-card")
        .reads(
            "
            flights <- HoldFlights
            hotels <- FindHotel
            hotels <- BookRoom
            cards <- ChargeCard
            trips.events <- TripBooked
            completed
            ",
        );
}

#[test]
fn when_one_branch_is_refused_its_sibling_in_flight_counts_as_silent() {
    started(&example("travel-booking"))
        .done("find-hotel")
        .refused("hold-flights")
        .done("book-room")
        .undone("book-room")
        .reads(
            "
            flights <- HoldFlights
            hotels <- FindHotel
            hotels <- BookRoom
            hotels <- CancelRoom
            rolled back: no seat left
            ",
        );
}

#[test]
fn branches_that_may_are_compensated_together() {
    let story = started(&example("travel-booking"))
        .done("hold-flights")
        .done("find-hotel")
        .done("book-room")
        .done("rent-car")
        .refused("charge-card")
        .undone("rent-car");
    story.reads(
        "
        flights <- HoldFlights
        hotels <- FindHotel
        hotels <- BookRoom
        cars <- RentCar
        cards <- ChargeCard
        cars <- ReturnCar
        flights <- ReleaseFlights
        hotels <- CancelRoom
        ",
    );
    assert_eq!(story.undone("book-room").undone("hold-flights").state().status(), "rolled_back");
}

#[test]
fn an_announcement_is_published_once_under_a_derived_id() {
    let story = started(&example("travel-booking"))
        .done("hold-flights")
        .done("find-hotel")
        .done("book-room")
        .done("rent-car")
        .done("charge-card");
    let definition = example("travel-booking");
    let effects = story.journal().iter().flat_map(|event| backstitch_saga::react(definition.definition(), event));
    let emissions: Vec<_> = effects
        .filter_map(|effect| match effect {
            Effect::Emit(emission) => Some(emission),
            Effect::Send(_) | Effect::Report(_) => None,
        })
        .collect();
    let [announced] = emissions.as_slice() else { panic!("{emissions:?}") };
    assert_eq!(announced.payload, json!({ "trip_id": "trip-1", "with_car": true }));
    assert_eq!(announced.event_id, backstitch_saga::emitted_event_id(announced.saga, "announce"));
}

#[test]
fn a_refused_pivot_rolls_back_what_came_before() {
    started(&example("money-transfer")).done("check-fraud").done("debit").refused("credit").undone("debit").reads(
        "
        fraud <- CheckTransfer
        ledger <- Debit
        clearing <- Credit
        ledger <- CreditBack
        rolled back: no such account
        ",
    );
}

#[test]
fn a_silent_pivot_is_asked_again_and_then_a_person_never_rolled_back() {
    let mut story = started(&example("money-transfer")).done("check-fraud").done("debit");
    for _ in 0..5 {
        story = story.silence("credit");
    }
    assert_eq!(story.state().status(), "stuck");
    let story = story.cancelled("ann").retried("ann").done("credit").done("notify");
    story.reads(
        "
        fraud <- CheckTransfer
        ledger <- Debit
        clearing <- Credit
        clearing <- Credit
        clearing <- Credit
        clearing <- Credit
        clearing <- Credit
        stuck at credit: the pivot was not answered, and it may have happened
        cancel refused: the pivot credit may have happened: from there the saga only goes forward
        set free by ann
        clearing <- Credit
        mail <- SendReceipt
        completed
        ",
    );
}

#[test]
fn a_pivot_refused_after_silence_may_have_happened_and_needs_a_person() {
    let story =
        started(&example("money-transfer")).done("check-fraud").done("debit").silence("credit").refused("credit");
    assert_eq!(story.state().status(), "stuck");
    // The receipt needs what only the credit's answer could have said, so a person settles that too.
    let settled = story.skipped("ann");
    let reason = settled.state().reason().unwrap_or_default();
    assert!(reason.contains("steps.credit.clearing_id"), "{reason}");
    assert_eq!(settled.skipped("ann").state().status(), "completed");
}

#[test]
fn a_late_answer_to_a_stuck_pivot_sets_the_saga_free() {
    let mut story = started(&example("money-transfer")).done("check-fraud").done("debit");
    for _ in 0..5 {
        story = story.silence("credit");
    }
    assert_eq!(story.done("credit").done("notify").state().status(), "completed");
}

#[test]
fn after_the_pivot_a_refusal_needs_a_person_and_a_cancel_is_refused() {
    let story = started(&example("money-transfer")).done("check-fraud").done("debit").done("credit");
    let story = story.cancelled("ann").refused("notify");
    assert_eq!(story.state().reason().as_deref(), Some("refused after the pivot credit: no address"));
    let story = story.skipped("bob");
    story.reads(
        "
        fraud <- CheckTransfer
        ledger <- Debit
        clearing <- Credit
        mail <- SendReceipt
        cancel refused: the pivot credit may have happened: from there the saga only goes forward
        stuck at notify: refused after the pivot credit: no address
        set free by bob
        completed
        ",
    );
}

#[test]
fn after_the_pivot_the_deadline_passes_and_the_saga_goes_on() {
    let story = started(&example("money-transfer")).done("check-fraud").done("debit").done("credit").paused("ann");
    let story = story.resumed("ann").silence("notify").silence("notify");
    let story = story.time_passes(Duration::from_mins(10));
    assert_eq!(story.state().saga_deadline(), None);
    assert_eq!(story.state().status(), "stuck");
    assert_eq!(story.retried("ann").done("notify").state().status(), "completed");
}

#[test]
fn a_refused_compensation_needs_a_person_and_its_retry_is_another_try() {
    let story = started(&example("money-transfer")).done("check-fraud").done("debit").refused("credit");
    let story = story.undoing_refused("debit");
    assert_eq!(story.state().reason().as_deref(), Some("the compensation was refused: AccountClosed"));
    let story = story.retried("ann");
    assert_eq!(story.commands().last().map(|command| command.try_number), Some(2));
    assert_eq!(story.undone("debit").state().status(), "rolled_back");
}

#[test]
fn a_small_transfer_is_not_checked() {
    let small = json!({ "transfer_id": "t-1", "from": "DE1", "to": "FR2", "amount": 100 });
    started(&example("money-transfer").starting_with(small)).reads("ledger <- Debit");
}

#[test]
fn a_sign_up_waits_for_the_customer_a_colleague_and_a_day() {
    let story = started(&example("subscription-signup")).done("create-account").arrives("mail-verified");
    let story = story.arrives("approval").time_passes(Duration::from_hours(23));
    story.reads("accounts <- CreateAccount");
    let story = story.time_passes(Duration::from_hours(1)).arrives("survey").done("charge");
    story.reads(
        "
        accounts <- CreateAccount
        billing <- ChargeSubscription
        completed
        ",
    );
    assert_eq!(story.commands()[1].payload["discount"], json!(20));
}

#[test]
fn what_comes_early_is_kept_for_its_step() {
    let story = started(&example("subscription-signup")).arrives("approval").arrives("mail-verified");
    let story = story.arrives("approval").done("create-account");
    assert_eq!(story.state().current_steps()[0].as_str(), "think-it-over");
}

#[test]
fn a_signal_to_a_paused_saga_counts_when_it_goes_on() {
    let story = started(&example("subscription-signup")).done("create-account").arrives("mail-verified");
    let story = story.paused("ann").arrives("approval").resumed("ann");
    assert_eq!(story.state().current_steps()[0].as_str(), "think-it-over");
}

#[test]
fn an_event_that_does_not_meet_the_condition_is_not_what_was_waited_for() {
    let story = started(&example("subscription-signup")).done("create-account");
    let story =
        story.event("accounts.events", "MailVerified", json!({ "account_id": "acc-1", "mail": "bob@example.org" }));
    assert_eq!(story.state().current_steps()[0].as_str(), "mail-verified");
}

#[test]
fn when_nobody_approves_in_time_the_sign_up_is_taken_back() {
    started(&example("subscription-signup"))
        .done("create-account")
        .arrives("mail-verified")
        .time_passes(Duration::from_hours(24 * 7))
        .undone("create-account")
        .reads(
            "
            accounts <- CreateAccount
            accounts <- DeleteAccount
            rolled back: nothing came for approval
            ",
        );
}

#[test]
fn when_nobody_fills_in_the_survey_the_sign_up_goes_on() {
    let story = started(&example("subscription-signup")).done("create-account").arrives("mail-verified");
    let story = story.arrives("approval").time_passes(Duration::from_hours(24)).time_passes(Duration::from_hours(1));
    story.reads(
        "
        accounts <- CreateAccount
        billing <- ChargeSubscription
        ",
    );
}

#[test]
fn a_saga_without_a_trigger_starts_by_name_and_can_be_cancelled_before() {
    let story = backstitch_testkit::cancelled_before_start(&example("subscription-signup"), "ann").started_again();
    story.reads("refused: cancelled by ann\nstart refused: cancelled by ann");
}

#[test]
fn a_completed_steps_late_duplicate_is_never_taken_for_its_compensations_reply() {
    let text = "
saga: shelf
version: 1
starts_on: { topic: shelves.events, event: ShelfWanted, key: event.shelf }
steps:
  - name: fill
    ask: shelves.commands
    to: Fill
    done_on: ShelfChanged
    on_rollback: { compensate: Empty, done_on: ShelfChanged }
  - name: label
    ask: labels.commands
    to: Label
    done_on: Labelled
    refused_on: NoLabelLeft
    on_rollback: nothing
";
    let shelf = backstitch_saga_yaml::parse("shelf.yaml", text).unwrap();
    let story = started(&Specimen::of(shelf).starting_with(json!({ "shelf": "s-1" }))).done("fill").refused("label");
    let story = story.done("fill").everything_repeated();
    assert_eq!(story.state().status(), "rolling_back");
    assert_eq!(story.undone("fill").state().status(), "rolled_back");
}

#[test]
fn an_event_that_two_open_steps_could_claim_is_nobodys() {
    let text = "
saga: twins
version: 1
starts_on: { topic: twins.events, event: TwinsWanted, key: event.id }
steps:
  - parallel:
      - { name: left, ask: twins.commands, to: Do, done_on: Done, on_rollback: nothing }
      - { name: right, ask: twins.commands, to: Do, done_on: Done, on_rollback: nothing }
";
    let twins = backstitch_saga_yaml::parse("twins.yaml", text).unwrap();
    let story = started(&Specimen::of(twins).starting_with(json!({ "id": "t-1" }))).done_by_a_foreigner("left");
    assert_eq!(story.state().current_steps().len(), 2);
    let story = story.done("left").done_by_a_foreigner("right");
    assert_eq!(story.state().status(), "completed");
}
