//! May this order be charged, and what does the gateway's answer mean?

use backstitch_contracts::payments::{PaymentFailed, PaymentProcessed, ProcessPayment};
use backstitch_domain::{OrderId, PaymentId};
use uuid::Uuid;

use super::{Charge, ChargeFailed, ChargeOutcome, Payment, PaymentEvent};

/// What a command to charge comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processing {
    /// The gateway has to be asked.
    Ask(Charge),
    /// The answer is known without it.
    Known(PaymentEvent),
}

/// Decides on a command to charge. An order is charged once: asking again for the same amount answers the first payment.
#[must_use]
pub fn process(payment: &Payment, command: &ProcessPayment, command_id: Uuid, attempt: u32) -> Processing {
    let order_id = command.order_id;
    let money = command.money();
    let failed = |reason: &str| Processing::Known(failure(order_id, reason.to_owned(), false));
    match payment {
        _ if !money.is_positive() => failed("the amount is not positive"),
        Payment::None => Processing::Ask(Charge {
            key: format!("{command_id}:{attempt}"),
            payment_id: payment_id(command_id),
            order_id,
            money,
            attempt,
        }),
        Payment::Charged { processed, .. }
            if (processed.amount, processed.currency) == (command.amount, command.currency) =>
        {
            Processing::Known(PaymentEvent::PaymentProcessed(processed.clone()))
        }
        Payment::Charged { .. } => failed("the order is already charged, otherwise"),
        Payment::Refunded(_) => failed("the order's payment was refunded"),
        Payment::Charging(_) => {
            Processing::Known(failure(order_id, "another charge for the order is under way".to_owned(), true))
        }
    }
}

/// What a certain outcome means.
#[must_use]
pub fn settle_charge(charge: &Charge, outcome: &ChargeOutcome) -> Vec<PaymentEvent> {
    let Charge { key, payment_id, order_id, money, .. } = charge.clone();
    let failed = |reason: &str, retry_possible| {
        let ended = PaymentEvent::ChargeFailed(ChargeFailed { key: key.clone() });
        vec![ended, failure(order_id, reason.to_owned(), retry_possible)]
    };
    match outcome {
        ChargeOutcome::Approved { payment_method } => vec![PaymentEvent::PaymentProcessed(PaymentProcessed {
            order_id,
            payment_id,
            amount: money.minor_units,
            currency: money.currency,
            payment_method: payment_method.clone(),
        })],
        ChargeOutcome::Declined { reason } => failed(reason, false),
        ChargeOutcome::NotNow { reason } => failed(reason, true),
    }
}

fn failure(order_id: OrderId, reason: String, retry_possible: bool) -> PaymentEvent {
    PaymentEvent::PaymentFailed(PaymentFailed { order_id, reason, retry_possible })
}

/// Derived, so that every attempt of a command speaks of the same payment.
fn payment_id(command_id: Uuid) -> PaymentId {
    PaymentId::new(Uuid::new_v5(&command_id, b"payment"))
}
