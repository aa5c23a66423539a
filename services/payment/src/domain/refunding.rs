//! What is there to give back, and what does the gateway's answer mean?

use backstitch_contracts::payments::PaymentRefunded;
use backstitch_domain::{Currency, Money, OrderId};

use super::{Payment, PaymentEvent, Refund, RefundOutcome};

/// What a command to give back comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunding {
    /// The gateway has to be asked.
    Ask(Refund),
    /// The answer is known without it.
    Known(PaymentEvent),
}

/// Decides on a command to give back. Where nothing was charged, nothing is given back, which is an answer too; what was
/// given back is not given back again.
#[must_use]
pub fn refund(payment: &Payment, order_id: OrderId) -> Refunding {
    match payment {
        Payment::Charged { processed, key } => Refunding::Ask(Refund {
            charge_key: key.clone(),
            payment_id: processed.payment_id,
            order_id,
            money: Money::new(processed.amount, processed.currency),
        }),
        Payment::Refunded(refunded) => Refunding::Known(PaymentEvent::PaymentRefunded(refunded.clone())),
        Payment::None | Payment::Charging(_) => Refunding::Known(nothing_refunded(order_id)),
    }
}

/// Nothing was charged, so nothing is given back, in no currency: nobody said which.
#[must_use]
pub fn nothing_refunded(order_id: OrderId) -> PaymentEvent {
    // ISO 4217 has a code for "no currency"; that it is well-formed a test says.
    let currency = NO_CURRENCY.parse().unwrap_or(Currency::USD);
    PaymentEvent::PaymentRefunded(PaymentRefunded { order_id, payment_id: None, amount: 0, currency })
}

const NO_CURRENCY: &str = "XXX";

/// What a certain outcome means. The gateway's word on the amount counts: it is the one who gave it back.
#[must_use]
pub fn settle_refund(refund: &Refund, outcome: &RefundOutcome) -> PaymentEvent {
    let money = match outcome {
        RefundOutcome::Refunded { money } => *money,
        RefundOutcome::NothingCharged => Money::zero(refund.money.currency),
    };
    PaymentEvent::PaymentRefunded(PaymentRefunded {
        order_id: refund.order_id,
        payment_id: Some(refund.payment_id),
        amount: money.minor_units,
        currency: money.currency,
    })
}
