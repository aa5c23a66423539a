//! The rules of payments, told as what was given, what was asked, and what came of it.

use backstitch_contracts::payments::{PaymentFailed, PaymentProcessed, PaymentRefunded, ProcessPayment};
use backstitch_domain::{Currency, CustomerId, Money, OrderId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::*;

fn order_id() -> OrderId {
    "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".parse().unwrap()
}

fn command(last: u128) -> Uuid {
    Uuid::from_u128(last)
}

fn process_payment(amount: i64) -> ProcessPayment {
    let customer_id = CustomerId::new(order_id().uuid());
    ProcessPayment { order_id: order_id(), amount, currency: Currency::EUR, customer_id }
}

fn given(events: impl IntoIterator<Item = PaymentEvent>) -> Payment {
    events.into_iter().fold(Payment::default(), |mut payment, event| {
        payment.evolve(&event);
        payment
    })
}

fn charge(payment: &Payment, command_id: Uuid, attempt: u32) -> Charge {
    match process(payment, &process_payment(1_000), command_id, attempt) {
        Processing::Ask(charge) => charge,
        Processing::Known(event) => panic!("{event:?}"),
    }
}

fn charged() -> Vec<PaymentEvent> {
    let charge = charge(&Payment::None, command(1), 1);
    let approved = ChargeOutcome::Approved { payment_method: "card".into() };
    let settled = settle_charge(&charge, &approved);
    [PaymentEvent::ChargeRequested(charge)].into_iter().chain(settled).collect()
}

fn refunded() -> Vec<PaymentEvent> {
    let mut events = charged();
    let Refunding::Ask(refund) = refund(&given(events.clone()), order_id()) else { panic!("nothing to refund") };
    events.push(settle_refund(&refund, &RefundOutcome::Refunded { money: refund.money }));
    events
}

fn failure(processing: Processing) -> PaymentFailed {
    match processing {
        Processing::Known(PaymentEvent::PaymentFailed(failed)) => failed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_charge_asks_the_gateway_under_a_key_of_command_and_try() {
    let charge = charge(&Payment::None, command(1), 2);
    assert_eq!(charge.key, "00000000-0000-0000-0000-000000000001:2");
    assert_eq!(charge.money, Money::new(1_000, Currency::EUR));
}

#[test]
fn every_try_of_a_command_speaks_of_the_same_payment() {
    let first = charge(&Payment::None, command(1), 1);
    let second = charge(&Payment::None, command(1), 2);
    assert_eq!(first.payment_id, second.payment_id);
    assert_ne!(first.key, second.key);
    assert_ne!(first.payment_id, charge(&Payment::None, command(2), 1).payment_id);
}

#[test]
fn an_approved_charge_is_a_processed_payment() {
    let payment = given(charged());
    let Payment::Charged { processed, key } = &payment else { panic!("{payment:?}") };
    assert_eq!((processed.amount, processed.currency), (1_000, Currency::EUR));
    assert_eq!(processed.payment_method, "card");
    assert_eq!(*key, charge(&Payment::None, command(1), 1).key);
}

#[test]
fn a_declined_charge_cannot_be_retried_and_one_put_off_can() {
    let charge = charge(&Payment::None, command(1), 1);
    for (outcome, retryable) in [
        (ChargeOutcome::Declined { reason: "no funds".into() }, false),
        (ChargeOutcome::NotNow { reason: "try later".into() }, true),
    ] {
        let events = settle_charge(&charge, &outcome);
        let Some(PaymentEvent::PaymentFailed(failed)) = events.last() else { panic!("{events:?}") };
        assert_eq!(failed.retry_possible, retryable);
        let requested = PaymentEvent::ChargeRequested(charge.clone());
        assert_eq!(given([requested].into_iter().chain(events)), Payment::None);
    }
}

#[test]
fn an_amount_that_is_not_positive_is_refused_without_asking_the_gateway() {
    for amount in [0, -1] {
        let failed = failure(process(&Payment::None, &process_payment(amount), command(1), 1));
        assert!(!failed.retry_possible);
    }
}

#[test]
fn an_order_is_charged_once_whoever_asks() {
    let payment = given(charged());
    let Payment::Charged { processed, .. } = payment.clone() else { panic!("{payment:?}") };
    let again = process(&payment, &process_payment(1_000), command(2), 1);
    assert_eq!(again, Processing::Known(PaymentEvent::PaymentProcessed(processed)));
    assert!(!failure(process(&payment, &process_payment(999), command(2), 1)).retry_possible);
}

#[test]
fn a_second_command_waits_while_the_gateway_is_being_asked() {
    let charging = given([PaymentEvent::ChargeRequested(charge(&Payment::None, command(1), 1))]);
    let failed = failure(process(&charging, &process_payment(1_000), command(2), 1));
    assert!(failed.retry_possible);
    let mut after = charging.clone();
    after.evolve(&PaymentEvent::PaymentFailed(failed));
    assert_eq!(after, charging);
}

#[test]
fn a_refunded_order_is_not_charged_again() {
    let payment = given(refunded());
    assert!(!failure(process(&payment, &process_payment(1_000), command(2), 1)).retry_possible);
}

#[test]
fn a_refund_gives_back_what_was_charged_under_its_key() {
    let Refunding::Ask(refund) = refund(&given(charged()), order_id()) else { panic!("nothing to refund") };
    assert_eq!(refund.charge_key, charge(&Payment::None, command(1), 1).key);
    assert_eq!(refund.money, Money::new(1_000, Currency::EUR));
    let event = settle_refund(&refund, &RefundOutcome::Refunded { money: refund.money });
    let PaymentEvent::PaymentRefunded(refunded) = &event else { panic!("{event:?}") };
    assert_eq!((refunded.amount, refunded.payment_id), (1_000, Some(refund.payment_id)));
}

#[test]
fn a_payment_is_given_back_once() {
    let events = refunded();
    let again = refund(&given(events.clone()), order_id());
    assert_eq!(again, Refunding::Known(events.last().unwrap().clone()));
}

#[test]
fn where_nothing_was_charged_nothing_is_given_back_in_no_currency() {
    let known = refund(&Payment::None, order_id());
    let currency = "XXX".parse().unwrap();
    let nothing = PaymentRefunded { order_id: order_id(), payment_id: None, amount: 0, currency };
    assert_eq!(known, Refunding::Known(PaymentEvent::PaymentRefunded(nothing)));
}

#[derive(Debug, Clone)]
enum Ask {
    Charge { command: u128, attempt: u32, amount: i64 },
    Outcome(u8),
    Refund,
}

fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (0..4_u128, 1..4_u32, 1..3_i64).prop_map(|(command, attempt, amount)| Ask::Charge { command, attempt, amount }),
        (0..3_u8).prop_map(Ask::Outcome),
        Just(Ask::Refund),
    ]
}

proptest! {
    #[test]
    fn the_customer_is_charged_at_most_once_and_refunded_at_most_that(asks in prop::collection::vec(any_ask(), 0..40)) {
        let mut payment = Payment::default();
        let mut in_flight: Option<Charge> = None;
        let (mut taken, mut given_back) = (BTreeSet::new(), 0);
        for ask in asks {
            let events = match ask {
                Ask::Charge { command: id, attempt, amount } => match process(&payment, &process_payment(amount), command(id), attempt) {
                    Processing::Ask(charge) => {
                        prop_assert!(in_flight.is_none(), "two charges in flight");
                        in_flight = Some(charge.clone());
                        vec![PaymentEvent::ChargeRequested(charge)]
                    }
                    Processing::Known(event) => vec![event],
                },
                Ask::Outcome(choice) => match in_flight.take() {
                    None => vec![],
                    Some(charge) => {
                        let outcome = match choice {
                            0 => ChargeOutcome::Approved { payment_method: "card".into() },
                            1 => ChargeOutcome::Declined { reason: "no".into() },
                            _ => ChargeOutcome::NotNow { reason: "later".into() },
                        };
                        if choice == 0 {
                            taken.insert(charge.key.clone());
                        }
                        settle_charge(&charge, &outcome)
                    }
                },
                Ask::Refund => match refund(&payment, order_id()) {
                    Refunding::Ask(refund) => {
                        given_back += 1;
                        vec![settle_refund(&refund, &RefundOutcome::Refunded { money: refund.money })]
                    }
                    Refunding::Known(event) => vec![event],
                },
            };
            for event in &events {
                payment.evolve(event);
            }
            prop_assert!(taken.len() <= 1);
            prop_assert!(given_back <= taken.len());
        }
    }

    #[test]
    fn a_processed_payment_is_of_the_amount_asked_for(amount in 1..i64::MAX) {
        let Processing::Ask(charge) = process(&Payment::None, &process_payment(amount), command(1), 1) else { panic!("refused") };
        let events = settle_charge(&charge, &ChargeOutcome::Approved { payment_method: "card".into() });
        let PaymentEvent::PaymentProcessed(PaymentProcessed { amount: charged, .. }) = events[0] else { panic!("{events:?}") };
        prop_assert_eq!(charged, amount);
    }
}
