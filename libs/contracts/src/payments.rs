//! Events and commands of the payment context.

use backstitch_domain::{Currency, CustomerId, Money, OrderId, PaymentId};
use serde::{Deserialize, Serialize};

use crate::payload::payload;

/// The topic of the events.
pub const EVENTS: &str = "payments.events";
/// The topic of the commands.
pub const COMMANDS: &str = "payments.commands";

/// The customer was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentProcessed {
    /// The order.
    pub order_id: OrderId,
    /// The payment.
    pub payment_id: PaymentId,
    /// Minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// As the gateway names it.
    pub payment_method: String,
}
payload!(PaymentProcessed, EVENTS);

/// The customer was not charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentFailed {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
    /// Whether asking again may succeed.
    pub retry_possible: bool,
}
payload!(PaymentFailed, EVENTS);

/// The customer has the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// The order.
    pub order_id: OrderId,
    /// The payment; absent where nothing had been charged.
    #[serde(default)]
    pub payment_id: Option<PaymentId>,
    /// Minor units; 0 where nothing had been charged.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
}
payload!(PaymentRefunded, EVENTS);

/// Charge the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPayment {
    /// The order.
    pub order_id: OrderId,
    /// Minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Who pays.
    pub customer_id: CustomerId,
}
payload!(ProcessPayment, COMMANDS);

impl ProcessPayment {
    /// What to charge.
    #[must_use]
    pub const fn money(&self) -> Money {
        Money::new(self.amount, self.currency)
    }
}

/// Give the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(RefundPayment, COMMANDS);
