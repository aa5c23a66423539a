//! What becomes of an order that no saga drives: once it is placed and its items are reserved it is charged, and its
//! cancelling gives back what was. Separate from charging and giving back, which are the same whoever asks.

use backstitch_contracts::payments::{PaymentFailed, ProcessPayment};
use backstitch_domain::OrderId;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Charge, ChargeOutcome, FlowLeft, Payment, PaymentEvent, Processing, Refund, Refunding, ReservationHeard,
    nothing_refunded, process, refund, settle_charge,
};

/// How far an order is followed without being asked by a saga. Its news come on two topics, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Following {
    /// It is not, as far as is known.
    #[default]
    No,
    /// It was placed, and its items are not reserved yet.
    Placed(ProcessPayment),
    /// Its items are reserved; what it comes to is not known yet.
    Reserved,
    /// It is to be charged, or was.
    Due {
        /// What for.
        wanted: ProcessPayment,
        /// How often the gateway was asked.
        attempts: u32,
    },
    /// The customer cannot be charged.
    Refused,
    /// It was cancelled, maybe before it was heard of.
    Left,
}

/// How often a gateway is asked that says "not now".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Most charges of one order.
    pub attempts_max: u32,
    /// How long after the first it is asked again; each time after twice as long.
    pub first_after: TimeDelta,
}

impl Retries {
    /// How long to wait before asking again, having asked so often.
    #[must_use]
    pub fn pause(&self, attempts: u32) -> TimeDelta {
        let doubled =
            2_i32.checked_pow(attempts.saturating_sub(1)).and_then(|factor| self.first_after.checked_mul(factor));
        doubled.map_or(LONGEST, |pause| pause.min(LONGEST))
    }
}

impl Default for Retries {
    /// As the saga does it.
    fn default() -> Self {
        Self { attempts_max: 3, first_after: TimeDelta::seconds(1) }
    }
}

const LONGEST: TimeDelta = TimeDelta::minutes(1);

impl Following {
    /// Takes one event in. Total: what does not fit changes nothing.
    pub fn evolve(&mut self, event: &PaymentEvent) {
        match (&mut *self, event) {
            (Self::No, PaymentEvent::PaymentWanted(wanted)) => *self = Self::Placed(wanted.clone()),
            (Self::No, PaymentEvent::ReservationHeard(_)) => *self = Self::Reserved,
            (Self::Reserved, PaymentEvent::PaymentWanted(wanted)) => *self = Self::due(wanted),
            (Self::Placed(wanted), PaymentEvent::ReservationHeard(_)) => *self = Self::due(wanted),
            (Self::Due { attempts, .. }, PaymentEvent::ChargeRequested(charge)) => *attempts = charge.attempt,
            (Self::Due { .. }, PaymentEvent::PaymentFailed(failed)) if !failed.retry_possible => *self = Self::Refused,
            (_, PaymentEvent::FlowLeft(_)) => *self = Self::Left,
            _ => {}
        }
    }

    fn due(wanted: &ProcessPayment) -> Self {
        Self::Due { wanted: wanted.clone(), attempts: 0 }
    }
}

/// The order was placed. Heard of again, or after it was cancelled, it is not charged.
#[must_use]
pub fn hear_placed(following: &Following, payment: &Payment, wanted: &ProcessPayment) -> Vec<PaymentEvent> {
    let noted = PaymentEvent::PaymentWanted(wanted.clone());
    match following {
        Following::No => vec![noted],
        Following::Reserved => vec![noted, charge(payment, wanted, 1)],
        Following::Placed(_) | Following::Due { .. } | Following::Refused | Following::Left => Vec::new(),
    }
}

/// Its items are reserved.
#[must_use]
pub fn hear_reserved(following: &Following, payment: &Payment, order_id: OrderId) -> Vec<PaymentEvent> {
    let noted = PaymentEvent::ReservationHeard(ReservationHeard { order_id });
    match following {
        Following::No => vec![noted],
        Following::Placed(wanted) => vec![noted, charge(payment, wanted, 1)],
        Following::Reserved | Following::Due { .. } | Following::Refused | Following::Left => Vec::new(),
    }
}

/// The gateway said "not now", and now is later.
#[must_use]
pub fn try_again(following: &Following, payment: &Payment) -> Option<PaymentEvent> {
    match (following, payment) {
        (Following::Due { wanted, attempts }, Payment::None) => {
            Some(charge(payment, wanted, attempts.saturating_add(1)))
        }
        _ => None,
    }
}

/// The order was cancelled: what was charged is to be given back. Everybody in the flow answers a cancellation, once: with
/// what was undone, even if that is nothing. Whoever has said no has answered; a charge under way answers when it is known.
#[must_use]
pub fn leave(
    following: &Following,
    payment: &Payment,
    order_id: OrderId,
) -> Option<(Vec<PaymentEvent>, Option<Refund>)> {
    let left = PaymentEvent::FlowLeft(FlowLeft { order_id });
    match (following, payment) {
        (Following::Left, _) => None,
        (Following::Refused, _) | (_, Payment::Charging(_) | Payment::Refunded(_)) => Some((vec![left], None)),
        (_, Payment::Charged { .. }) => Some((vec![left], to_give_back(payment, order_id))),
        (_, Payment::None) => Some((vec![left, nothing_refunded(order_id)], None)),
    }
}

/// What a certain outcome means to an order that is followed: the last "not now" is a no, and what was charged after the
/// order was cancelled is to be given back.
#[must_use]
pub fn settle_followed(
    following: &Following,
    payment: &Payment,
    charge: &Charge,
    outcome: &ChargeOutcome,
    retries: Retries,
) -> (Vec<PaymentEvent>, Option<Refund>) {
    let is_last = matches!(following, Following::Left) || charge.attempt >= retries.attempts_max;
    let mut events = settle_charge(charge, outcome);
    let mut after = payment.clone();
    for event in &mut events {
        if let PaymentEvent::PaymentFailed(PaymentFailed { retry_possible, .. }) = event {
            *retry_possible &= !is_last;
        }
        after.evolve(event);
    }
    let is_off = matches!(following, Following::Left);
    (events, to_give_back(&after, charge.order_id).filter(|_| is_off))
}

fn to_give_back(payment: &Payment, order_id: OrderId) -> Option<Refund> {
    match refund(payment, order_id) {
        Refunding::Ask(refund) => Some(refund),
        Refunding::Known(_) => None,
    }
}

// Derived from the order, so that it is one payment whatever is heard, and however often.
fn charge(payment: &Payment, wanted: &ProcessPayment, attempt: u32) -> PaymentEvent {
    let id = Uuid::new_v5(&wanted.order_id.uuid(), b"choreographed payment");
    match process(payment, wanted, id, attempt) {
        Processing::Ask(charge) => PaymentEvent::ChargeRequested(charge),
        Processing::Known(event) => event,
    }
}
