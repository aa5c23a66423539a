//! What a payment is: its events, what they add up to, and the decisions about charging and giving back. Pure: the
//! gateway is asked elsewhere, and its certain outcome comes in as a value.

mod charging;
mod choreographed;
mod refunding;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_choreographed;

pub use charging::{Processing, process, settle_charge};
pub use choreographed::{Following, Retries, hear_placed, hear_reserved, leave, settle_followed, try_again};
pub use refunding::{Refunding, nothing_refunded, refund, settle_refund};

use backstitch_contracts::payments::{PaymentFailed, PaymentProcessed, PaymentRefunded, ProcessPayment};
use backstitch_domain::{Money, OrderId, PaymentId};
use serde::{Deserialize, Serialize};

/// Something that happened to a payment. A variant's name is the event's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// Private: the gateway is being asked for the money.
    ChargeRequested(Charge),
    /// Private: the gateway did not take the money.
    ChargeFailed(ChargeFailed),
    /// Private: an order was placed that no saga drives.
    PaymentWanted(ProcessPayment),
    /// Private: the items of such an order are reserved.
    ReservationHeard(ReservationHeard),
    /// Private: such an order is off.
    FlowLeft(FlowLeft),
    /// Published: the customer was charged.
    PaymentProcessed(PaymentProcessed),
    /// Published: the customer was not charged.
    PaymentFailed(PaymentFailed),
    /// Published: the customer has the money back.
    PaymentRefunded(PaymentRefunded),
}

/// The gateway did not take the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeFailed {
    /// The charge's idempotency key.
    pub key: String,
}

/// The items of an order are reserved that no saga drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationHeard {
    /// The order.
    pub order_id: OrderId,
}

/// An order is off that no saga drove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLeft {
    /// The order.
    pub order_id: OrderId,
}

/// A charge to be made at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Idempotency key: the same for every attempt of one try of one command.
    pub key: String,
    /// The payment that it is.
    pub payment_id: PaymentId,
    /// What it is for.
    pub order_id: OrderId,
    /// How much.
    pub money: Money,
    /// Which try of the command it is, from 1.
    pub attempt: u32,
}

/// What became of a charge, for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ChargeOutcome {
    /// The money was taken.
    Approved {
        /// As the gateway names it.
        payment_method: String,
    },
    /// It was not, and never will be.
    Declined {
        /// For people.
        reason: String,
    },
    /// It was not; another try may do.
    NotNow {
        /// For people.
        reason: String,
    },
}

/// A charge to be given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Idempotency key of the charge.
    pub charge_key: String,
    /// The payment that it was.
    pub payment_id: PaymentId,
    /// What it was for.
    pub order_id: OrderId,
    /// How much it was.
    pub money: Money,
}

/// What became of a refund, for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RefundOutcome {
    /// The customer has this much back.
    Refunded {
        /// How much.
        money: Money,
    },
    /// There was nothing to give back.
    NothingCharged,
}

/// A payment, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payment {
    /// Nothing was charged.
    #[default]
    None,
    /// The gateway is being asked.
    Charging(Charge),
    /// Charged.
    Charged {
        /// The public event.
        processed: PaymentProcessed,
        /// The gateway's idempotency key, which is what a refund names.
        key: String,
    },
    /// Given back.
    Refunded(PaymentRefunded),
}

impl Payment {
    /// The state's name.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Charging(_) => "charging",
            Self::Charged { .. } => "charged",
            Self::Refunded(_) => "refunded",
        }
    }

    /// Takes one event in. Total: what does not fit changes nothing.
    pub fn evolve(&mut self, event: &PaymentEvent) {
        match (&*self, event) {
            (Self::None, PaymentEvent::ChargeRequested(charge)) => *self = Self::Charging(charge.clone()),
            (Self::Charging(charge), PaymentEvent::ChargeFailed(failed)) if charge.key == failed.key => {
                *self = Self::None;
            }
            (Self::Charging(charge), PaymentEvent::PaymentProcessed(processed)) => {
                *self = Self::Charged { processed: processed.clone(), key: charge.key.clone() };
            }
            // A refund of nothing leaves nothing: the customer may still be charged by another command.
            (Self::Charged { .. }, PaymentEvent::PaymentRefunded(refunded)) => *self = Self::Refunded(refunded.clone()),
            _ => {}
        }
    }
}
