//! Sagas whose next words fit no schema, told as stories: a person decides, and what was never sent is not undone.

use std::path::Path;

use backstitch_testkit::{Specimen, Story, started, started_without};

fn order_fulfilment() -> Specimen {
    Specimen::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas"), "order-fulfilment")
}

fn travel_booking() -> Specimen {
    Specimen::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/examples"), "travel-booking")
}

/// An order that is reserved, and whose payment cannot be asked for.
fn unpayable() -> Story {
    started(&order_fulfilment()).cannot_send("process-payment").done("reserve-inventory")
}

#[test]
fn a_command_that_fits_no_schema_makes_its_saga_stuck() {
    unpayable().reads(
        "
        inventory <- ReserveInventory
        stuck at process-payment: it fits no schema
        ",
    );
}

#[test]
fn once_it_fits_a_retry_asks_for_the_first_time() {
    let story = unpayable().retried("ann").can_send_again().retried("ann");
    story.reads(
        "
        inventory <- ReserveInventory
        stuck at process-payment: it fits no schema
        set free by ann
        stuck at process-payment: it fits no schema
        set free by ann
        payments <- ProcessPayment
        ",
    );
    let asked = &story.commands()[1];
    assert_eq!((asked.attempt, asked.try_number), (1, 1));
}

#[test]
fn a_step_that_was_never_sent_did_not_happen_and_is_not_undone() {
    unpayable().cancelled("ann").undone("reserve-inventory").undone("start").reads(
        "
        inventory <- ReserveInventory
        stuck at process-payment: it fits no schema
        inventory <- ReleaseInventory
        orders <- CancelOrder
        rolled back: cancelled by ann
        ",
    );
}

#[test]
fn a_step_that_fell_silent_before_it_could_not_be_sent_again_is_undone_too() {
    let story = started(&order_fulfilment()).done("reserve-inventory").cannot_send("process-payment");
    story.silence("process-payment").cancelled("ann").undone("process-payment").reads(
        "
        inventory <- ReserveInventory
        payments <- ProcessPayment
        stuck at process-payment: it fits no schema
        payments <- RefundPayment
        inventory <- ReleaseInventory
        ",
    );
}

#[test]
fn a_person_settles_a_step_that_cannot_be_sent_or_gives_the_saga_up() {
    unpayable().skipped("ann").reads(
        "
        inventory <- ReserveInventory
        stuck at process-payment: it fits no schema
        set free by ann
        stuck at confirm-order: `steps.process_payment.payment_id` could not be evaluated: it is not there
        ",
    );
    unpayable().abandoned("ann").reads(
        "
        inventory <- ReserveInventory
        stuck at process-payment: it fits no schema
        abandoned by ann
        ",
    );
}

#[test]
fn a_saga_can_be_stuck_at_its_first_step() {
    started_without(&order_fulfilment(), "reserve-inventory").cancelled("ann").undone("start").reads(
        "
        stuck at reserve-inventory: it fits no schema
        orders <- CancelOrder
        rolled back: cancelled by ann
        ",
    );
}

#[test]
fn a_compensation_that_fits_no_schema_makes_its_saga_stuck_and_the_rest_is_undone_after_it() {
    let story = started(&order_fulfilment()).cannot_send_undoing("reserve-inventory").done("reserve-inventory");
    story.refused("process-payment").skipped("ann").undone("start").reads(
        "
        inventory <- ReserveInventory
        payments <- ProcessPayment
        stuck at reserve-inventory: it fits no schema
        set free by ann
        orders <- CancelOrder
        rolled back: card declined
        ",
    );
}

#[test]
fn an_event_that_fits_no_schema_makes_its_saga_stuck() {
    let story = started(&travel_booking()).cannot_send("announce").done("hold-flights").done("find-hotel");
    story.done("book-room").done("rent-car").done("charge-card").skipped("ann").reads(
        "
        flights <- HoldFlights
        hotels <- FindHotel
        hotels <- BookRoom
        cars <- RentCar
        cards <- ChargeCard
        stuck at announce: it fits no schema
        set free by ann
        completed
        ",
    );
}

#[test]
fn what_could_be_sent_beside_it_is_undone_when_the_saga_is_cancelled() {
    started_without(&travel_booking(), "find-hotel").cancelled("ann").undone("hold-flights").reads(
        "
        flights <- HoldFlights
        stuck at find-hotel: it fits no schema
        flights <- ReleaseFlights
        rolled back: cancelled by ann
        ",
    );
}
