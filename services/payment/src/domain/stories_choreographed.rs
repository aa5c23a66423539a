//! The rules of payments of orders that no saga drives: news come in any order, and each once or more.

use backstitch_contracts::payments::ProcessPayment;
use backstitch_domain::{Currency, CustomerId, OrderId};

use super::*;

fn order_id() -> OrderId {
    "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".parse().unwrap()
}

fn wanted() -> ProcessPayment {
    let customer_id = CustomerId::new(order_id().uuid());
    ProcessPayment { order_id: order_id(), amount: 1_000, currency: Currency::EUR, customer_id }
}

/// An order's stream, and what was asked of the gateway and not answered yet.
#[derive(Default)]
struct Desk {
    payment: Payment,
    following: Following,
    events: Vec<PaymentEvent>,
    charges: Vec<Charge>,
    refunds: Vec<Refund>,
}

impl Desk {
    fn notes(&mut self, events: Vec<PaymentEvent>) {
        for event in events {
            self.payment.evolve(&event);
            self.following.evolve(&event);
            if let PaymentEvent::ChargeRequested(charge) = &event {
                self.charges.push(charge.clone());
            }
            self.events.push(event);
        }
    }

    fn placed(mut self) -> Self {
        self.notes(hear_placed(&self.following, &self.payment, &wanted()));
        self
    }

    fn reserved(mut self) -> Self {
        self.notes(hear_reserved(&self.following, &self.payment, order_id()));
        self
    }

    fn cancelled(mut self) -> Self {
        if let Some((events, refund)) = leave(&self.following, &self.payment, order_id()) {
            self.notes(events);
            self.refunds.extend(refund);
        }
        self
    }

    fn later(mut self) -> Self {
        self.notes(try_again(&self.following, &self.payment).into_iter().collect());
        self
    }

    fn answered(mut self, outcome: &ChargeOutcome) -> Self {
        let charge = self.charges.pop().unwrap();
        let (events, refund) = settle_followed(&self.following, &self.payment, &charge, outcome, Retries::default());
        self.notes(events);
        self.refunds.extend(refund);
        self
    }

    fn paid_back(mut self) -> Self {
        let refund = self.refunds.pop().unwrap();
        let outcome = RefundOutcome::Refunded { money: refund.money };
        self.notes(vec![settle_refund(&refund, &outcome)]);
        self
    }

    /// What others are told.
    fn told(&self) -> Vec<String> {
        let told = |event: &PaymentEvent| match event {
            PaymentEvent::PaymentProcessed(processed) => Some(format!("processed {}", processed.amount)),
            PaymentEvent::PaymentFailed(failed) if failed.retry_possible => Some("failed for now".to_owned()),
            PaymentEvent::PaymentFailed(_) => Some("failed".to_owned()),
            PaymentEvent::PaymentRefunded(refunded) => Some(format!("refunded {}", refunded.amount)),
            _ => None,
        };
        self.events.iter().filter_map(told).collect()
    }
}

fn approved() -> ChargeOutcome {
    ChargeOutcome::Approved { payment_method: "card".to_owned() }
}

fn not_now() -> ChargeOutcome {
    ChargeOutcome::NotNow { reason: "not now".to_owned() }
}

#[test]
fn an_order_is_charged_once_it_is_placed_and_reserved_whichever_is_heard_first() {
    for desk in [Desk::default().placed().reserved(), Desk::default().reserved().placed()] {
        assert_eq!(desk.charges.len(), 1);
        let desk = desk.placed().reserved().answered(&approved());
        assert_eq!((desk.told(), desk.charges.len()), (vec!["processed 1000".to_owned()], 0));
    }
}

#[test]
fn not_now_is_asked_again_as_the_same_payment_and_the_last_one_is_a_no() {
    let desk = Desk::default().placed().reserved();
    let first = desk.charges[0].clone();
    let desk = desk.answered(&not_now()).later();
    let second = desk.charges[0].clone();
    assert_eq!((first.payment_id, second.attempt), (second.payment_id, 2));
    assert_ne!(first.key, second.key);
    let desk = desk.answered(&not_now()).later().answered(&not_now()).later();
    assert_eq!(desk.told(), ["failed for now", "failed for now", "failed"]);
    assert!(desk.cancelled().told().len() == 3, "whoever has said no has answered");
}

#[test]
fn a_charge_under_way_is_settled_before_it_is_paid_back() {
    let desk = Desk::default().placed().reserved().cancelled();
    assert!(
        desk.told().is_empty() && desk.refunds.is_empty(),
        "nobody knows yet whether there is anything to pay back"
    );
    let desk = desk.answered(&approved()).paid_back();
    assert_eq!(desk.told(), ["processed 1000", "refunded 1000"]);
    assert_eq!(desk.cancelled().told().len(), 2, "it is answered once");
}

#[test]
fn what_is_cancelled_before_it_was_heard_of_is_never_charged_and_that_is_said_once() {
    let desk = Desk::default().cancelled().placed().reserved().cancelled().later();
    assert_eq!((desk.told(), desk.charges.len()), (vec!["refunded 0".to_owned()], 0));
    let desk = Desk::default().placed().reserved().answered(&not_now()).cancelled().later();
    assert_eq!((desk.told(), desk.charges.len()), (vec!["failed for now".to_owned(), "refunded 0".to_owned()], 0));
}
