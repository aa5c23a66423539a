//! The order saga, told as stories: what customers and colleagues see when things go well, and when they do not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backstitch_saga::{Fact, State};
use backstitch_testkit::{Specimen, cancelled_before_start, started};

fn sagas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas")
}

fn order_fulfilment() -> Specimen {
    Specimen::load(&sagas(), "order-fulfilment")
}

#[test]
fn an_order_is_reserved_paid_confirmed_and_shipped() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .done("process-payment")
        .done("confirm-order")
        .done("ship-order")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            shipping <- ShipOrder
            completed
            ",
        );
}

#[test]
fn out_of_stock_cancels_the_order_and_nothing_else() {
    started(&order_fulfilment()).refused("reserve-inventory").undone("start").reads(
        "
        inventory <- ReserveInventory
        orders <- CancelOrder
        rolled back: out of stock
        ",
    );
}

#[test]
fn a_declined_payment_releases_the_goods_and_is_not_refunded() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .refused("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: card declined
            ",
        );
}

#[test]
fn a_refused_confirmation_refunds_and_releases() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .done("process-payment")
        .refused("confirm-order")
        .undone("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            payments <- RefundPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: order is cancelled
            ",
        );
}

#[test]
fn a_failed_shipment_undoes_everything_in_reverse() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .done("process-payment")
        .done("confirm-order")
        .refused("ship-order")
        .undone("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            shipping <- ShipOrder
            payments <- RefundPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: no carrier for the address
            ",
        );
}

#[test]
fn a_silent_step_is_asked_again_and_then_undone_too() {
    let story = started(&order_fulfilment())
        .done("reserve-inventory")
        .silence("process-payment")
        .silence("process-payment")
        .silence("process-payment")
        .undone("process-payment")
        .undone("reserve-inventory")
        .undone("start");
    story.reads(
        "
        inventory <- ReserveInventory
        payments <- ProcessPayment
        payments <- ProcessPayment
        payments <- ProcessPayment
        payments <- RefundPayment
        inventory <- ReleaseInventory
        orders <- CancelOrder
        rolled back: no reply
        ",
    );
    let payments = story.commands().iter().filter(|command| command.command_type == "ProcessPayment");
    let tries: Vec<(u32, u32)> = payments.map(|command| (command.attempt, command.try_number)).collect();
    assert_eq!(tries, [(1, 1), (2, 1), (3, 1)], "after silence the same command is sent, or the card is charged twice");
}

#[test]
fn a_retryable_decline_that_succeeds_on_the_second_try_completes_the_order() {
    let story = started(&order_fulfilment())
        .done("reserve-inventory")
        .asks_for_another_try("process-payment")
        .everything_repeated()
        .done("process-payment")
        .done("confirm-order")
        .done("ship-order");
    story.reads(
        "
        inventory <- ReserveInventory
        payments <- ProcessPayment
        payments <- ProcessPayment
        orders <- ConfirmOrder
        shipping <- ShipOrder
        completed
        ",
    );
    let payments: Vec<_> = story.commands().iter().filter(|command| command.command_type == "ProcessPayment").collect();
    assert_eq!(payments[0].id, payments[1].id);
    assert_eq!((payments[0].try_number, payments[1].try_number), (1, 2));
}

#[test]
fn a_decline_that_stays_retryable_is_a_no_after_the_last_attempt() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .asks_for_another_try("process-payment")
        .asks_for_another_try("process-payment")
        .answers_try_later("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            payments <- ProcessPayment
            payments <- ProcessPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: gateway busy
            ",
        );
}

#[test]
fn a_no_after_silence_is_undone_too_because_the_silent_attempt_may_have_happened() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .silence("process-payment")
        .refused("process-payment")
        .undone("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            payments <- ProcessPayment
            payments <- RefundPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: card declined
            ",
        );
}

#[test]
fn an_answer_after_the_timeout_changes_nothing_and_is_compensated_once() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .silence("process-payment")
        .silence("process-payment")
        .silence("process-payment")
        .done("process-payment")
        .undone("process-payment")
        .done("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            payments <- ProcessPayment
            payments <- ProcessPayment
            payments <- RefundPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: no reply
            ",
        );
}

#[test]
fn an_answer_between_two_attempts_is_taken() {
    let mut timeout = Duration::from_mins(5);
    timeout += Duration::from_micros(1);
    started(&order_fulfilment()).time_passes(timeout).done("reserve-inventory").done("process-payment").reads(
        "
        inventory <- ReserveInventory
        payments <- ProcessPayment
        orders <- ConfirmOrder
        ",
    );
}

#[test]
fn repeated_messages_have_no_effect() {
    started(&order_fulfilment())
        .started_again()
        .done("reserve-inventory")
        .done("reserve-inventory")
        .done("process-payment")
        .everything_repeated()
        .started_again()
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            ",
        );
}

#[test]
fn a_reservation_that_expires_before_the_confirmation_takes_the_order_back() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .taken_back("reserve-inventory")
        .undone("process-payment")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            payments <- RefundPayment
            orders <- CancelOrder
            rolled back: reserve-inventory was taken back: InventoryReleased
            ",
        );
}

#[test]
fn a_release_after_the_confirmation_means_nothing() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .done("process-payment")
        .done("confirm-order")
        .taken_back("reserve-inventory")
        .done("ship-order")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            shipping <- ShipOrder
            completed
            ",
        );
}

#[test]
fn a_participant_that_sets_none_of_our_headers_takes_part() {
    started(&order_fulfilment())
        .done_by_a_foreigner("reserve-inventory")
        .done_by_a_foreigner("process-payment")
        .done_by_a_foreigner("confirm-order")
        .done_by_a_foreigner("ship-order")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            orders <- ConfirmOrder
            shipping <- ShipOrder
            completed
            ",
        );
}

#[test]
fn a_foreign_event_about_another_order_means_nothing() {
    let other = serde_json::json!({ "order_id": "another" });
    let story = started(&order_fulfilment()).event("inventory.events", "InventoryReserved", other);
    story.reads("inventory <- ReserveInventory");
    assert_eq!(story.state().current_steps()[0].as_str(), "reserve-inventory");
}

#[test]
fn the_right_event_on_the_wrong_topic_means_nothing() {
    let order_id = order_fulfilment().start_data()["order_id"].clone();
    let about_us = serde_json::json!({ "order_id": order_id });
    let story = started(&order_fulfilment()).event("payments.events", "InventoryReserved", about_us);
    assert_eq!(story.state().current_steps()[0].as_str(), "reserve-inventory");
}

#[test]
fn a_cancelled_order_is_undone_with_the_step_in_flight() {
    started(&order_fulfilment())
        .done("reserve-inventory")
        .cancelled("ann")
        .cancelled("ann")
        .undone("process-payment")
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            payments <- ProcessPayment
            payments <- RefundPayment
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: cancelled by ann
            ",
        );
}

#[test]
fn an_order_cancelled_before_its_start_is_never_begun_and_still_cancelled() {
    cancelled_before_start(&order_fulfilment(), "ann").started_again().undone("start").reads(
        "
        refused: cancelled by ann
        orders <- CancelOrder
        rolled back: cancelled by ann
        ",
    );
}

#[test]
fn an_order_past_its_deadline_is_rolled_back_whatever_is_in_flight() {
    let story = started(&order_fulfilment())
        .done("reserve-inventory")
        .done("process-payment")
        .time_passes(Duration::from_mins(16));
    let reason = story.state().reason();
    assert_eq!(story.state().status(), "rolling_back");
    assert!(reason.is_some_and(|reason| reason == "no reply" || reason == "the deadline passed"));
}

#[test]
fn a_slow_but_patient_order_meets_its_deadline() {
    started(&order_fulfilment())
        .silence("reserve-inventory")
        .silence("reserve-inventory")
        .time_passes(Duration::from_mins(5))
        .undone("reserve-inventory")
        .undone("start")
        .reads(
            "
            inventory <- ReserveInventory
            inventory <- ReserveInventory
            inventory <- ReserveInventory
            inventory <- ReleaseInventory
            orders <- CancelOrder
            rolled back: the deadline passed
            ",
        );
}

#[test]
fn pausing_freezes_the_clock_and_keeps_what_is_said_meanwhile() {
    let story = started(&order_fulfilment()).time_passes(Duration::from_mins(2)).paused("ann");
    assert_eq!(story.state().next_deadline(), None);
    let story = story.time_passes(Duration::from_hours(24)).done("reserve-inventory");
    story.reads("inventory <- ReserveInventory\npaused by ann");
    let story = story.resumed("ann");
    story.reads("inventory <- ReserveInventory\npaused by ann\nresumed by ann\npayments <- ProcessPayment");
    let saga_deadline = story.state().saga_deadline().map(|at| at.since(story.now()));
    assert_eq!(saga_deadline, Some(Duration::from_mins(13)), "two of fifteen minutes were used before the pause");
}

#[test]
fn a_paused_saga_takes_up_the_time_its_step_had_left() {
    let story = started(&order_fulfilment())
        .time_passes(Duration::from_mins(2))
        .paused("ann")
        .time_passes(Duration::from_hours(5))
        .resumed("bob");
    assert_eq!(story.state().next_deadline().map(|at| at.since(story.now())), Some(Duration::from_mins(3)));
}

fn stuck_refund() -> backstitch_testkit::Story {
    let mut story =
        started(&order_fulfilment()).done("reserve-inventory").done("process-payment").refused("confirm-order");
    while !matches!(story.state(), State::Stuck(_)) {
        story = story.silence("process-payment");
    }
    story
}

#[test]
fn a_compensation_that_is_never_answered_asks_for_a_person() {
    let story = stuck_refund();
    assert_eq!(story.state().reason().as_deref(), Some("the compensation was not answered"));
    assert_eq!(story.state().next_deadline(), None);
    let refunds = story.commands().iter().filter(|command| command.command_type == "RefundPayment");
    assert_eq!(refunds.count(), 20);
}

#[test]
fn a_stuck_refund_goes_on_when_a_person_retries_it() {
    let before = stuck_refund();
    let told = before.commands().len();
    let story = before.retried("ann").undone("process-payment").undone("reserve-inventory").undone("start");
    let after: Vec<&str> = story.commands()[told..].iter().map(|command| command.command_type.as_str()).collect();
    assert_eq!(after, ["RefundPayment", "ReleaseInventory", "CancelOrder"]);
    assert_eq!(story.state().status(), "rolled_back");
}

#[test]
fn a_retry_by_a_person_is_as_patient_as_the_first_time() {
    let mut story = stuck_refund().retried("ann");
    while !matches!(story.state(), State::Stuck(_)) {
        story = story.silence("process-payment");
    }
    let refunds = story.commands().iter().filter(|command| command.command_type == "RefundPayment");
    assert_eq!(refunds.count(), 40);
}

#[test]
fn a_stuck_refund_settled_by_hand_is_skipped_and_says_by_whom() {
    let story = stuck_refund().skipped("ann").undone("reserve-inventory").undone("start");
    assert_eq!(story.state().status(), "rolled_back");
    let skipped = story.journal().iter().find_map(|event| match &event.fact {
        Fact::CompensationSkipped { step, by } => Some((step.to_string(), by.who.clone())),
        _ => None,
    });
    assert_eq!(skipped, Some(("process-payment".to_owned(), "ann".to_owned())));
}

#[test]
fn a_stuck_saga_can_be_given_up() {
    let story = stuck_refund().abandoned("ann").retried("ann");
    assert_eq!(story.state().status(), "abandoned");
    assert_eq!(story.state().reason().as_deref(), Some("abandoned by ann"));
}

#[test]
fn a_late_refund_sets_a_stuck_saga_free() {
    let story = stuck_refund().undone("process-payment").undone("reserve-inventory").undone("start");
    assert_eq!(story.state().status(), "rolled_back");
}

#[test]
fn a_command_says_what_it_needs_and_no_more() {
    let story = started(&order_fulfilment()).done("reserve-inventory").done("process-payment").refused("confirm-order");
    let payload = |command: &str| {
        let sent = story.commands().iter().find(|sent| sent.command_type == command);
        sent.map(|sent| sent.payload.clone()).unwrap_or_default()
    };
    let order_id = order_fulfilment().start_data()["order_id"].clone();
    assert_eq!(
        payload("ReserveInventory"),
        serde_json::json!({
            "order_id": order_id,
            "items": [{ "product_id": "lamp", "quantity": 2 }, { "product_id": "shade", "quantity": 1 }],
        })
    );
    assert_eq!(
        payload("ConfirmOrder"),
        serde_json::json!({
            "order_id": order_id, "payment_id": "pay-1", "reserved_until": "2027-01-15T08:00:00.000000Z",
        })
    );
    assert_eq!(payload("RefundPayment"), serde_json::json!({ "order_id": order_id, "reason": "order is cancelled" }));
}

#[test]
fn a_command_carries_what_a_participant_needs_to_answer_once() {
    let story = started(&order_fulfilment()).done("reserve-inventory").refused("process-payment");
    let [reserve, .., release] = story.commands() else { panic!("{:?}", story.commands()) };
    assert_eq!(release.undoes, Some(reserve.id));
    assert_ne!(release.id, reserve.id);
    assert_eq!(reserve.undoes, None);
    assert_eq!(release.key, story.state().key().unwrap_or_default());
    assert_eq!(release.deadline.since(story.now()), Duration::from_mins(1));
}

#[test]
fn a_running_order_takes_less_than_two_kibibytes() {
    let stories = [
        started(&order_fulfilment()).done("reserve-inventory").done("process-payment").done("confirm-order"),
        started(&order_fulfilment()).done("reserve-inventory").silence("process-payment").refused("process-payment"),
    ];
    for story in stories {
        let bytes = serde_json::to_vec(story.state()).unwrap().len();
        assert!(bytes <= 2048, "{bytes} bytes");
    }
}

#[test]
fn data_that_is_too_large_is_refused_before_anything_is_asked() {
    let mut data = order_fulfilment().start_data().clone();
    data["order_items"] = serde_json::Value::from(vec!["x".repeat(1024); 70]);
    let story = started(&order_fulfilment().starting_with(data));
    assert_eq!(story.state().status(), "refused");
    assert!(story.commands().is_empty());
}

#[test]
fn data_that_a_payload_cannot_be_computed_from_leaves_the_saga_stuck_and_not_lost() {
    let mut data = order_fulfilment().start_data().clone();
    data["order_items"] = serde_json::json!("two lamps");
    let story = started(&order_fulfilment().starting_with(data));
    assert_eq!(story.state().status(), "stuck");
    let story = story.cancelled("ann").undone("start");
    assert_eq!(story.state().status(), "rolled_back");
}

#[test]
fn a_choreographed_order_starts_no_saga() {
    let specimen = order_fulfilment();
    let mut event = specimen.start_data().clone();
    event["flow"] = serde_json::json!("choreographed");
    assert_eq!(specimen.definition().starts_with("orders.events", "OrderPlaced", &event), None);
    assert!(specimen.definition().starts_with("orders.events", "OrderPlaced", specimen.start_data()).is_some());
    assert_eq!(specimen.definition().starts_with("orders.events", "OrderCancelled", specimen.start_data()), None);
}

#[test]
fn an_order_without_its_key_is_a_fault_and_not_passed_over() {
    let specimen = order_fulfilment();
    let nameless = serde_json::json!({ "total_amount": 1 });
    let error = specimen.definition().start_of("orders.events", "OrderPlaced", &nameless).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot tell which saga of `order-fulfilment` this `OrderPlaced` starts: `event.order_id` could not be evaluated: it is not there"
    );
}

#[test]
fn the_order_saga_touches_exactly_these_topics() {
    let specimen = order_fulfilment();
    let definition = specimen.definition();
    let events: Vec<&str> = definition.event_topics().into_iter().collect();
    let commands: Vec<&str> = definition.command_topics().into_iter().collect();
    assert_eq!(events, ["inventory.events", "orders.events", "payments.events", "shipping.events"]);
    assert_eq!(commands, ["inventory.commands", "orders.commands", "payments.commands", "shipping.commands"]);
    assert!(definition.reads("inventory.events", "InventoryReleased"));
    assert!(!definition.reads("inventory.events", "StockReceived"));
}

#[test]
fn a_foreign_event_leads_to_its_saga_by_the_key_inside_it() {
    let specimen = order_fulfilment();
    let event = serde_json::json!({ "order_id": "o-7" });
    let keys = specimen.definition().reply_keys("inventory.events", "InventoryReserved", &event);
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["o-7"]);
}
