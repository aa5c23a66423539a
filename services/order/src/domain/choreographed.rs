//! What becomes of an order that no saga drives: what the other contexts say moves it on or calls it off, and so does
//! their silence. Separate from confirming and cancelling, whose rules are the same whoever asks, and from taking notice,
//! which moves nothing.

use backstitch_contracts::inventory::InventoryReserved;
use backstitch_contracts::orders::{CancelOrder, ConfirmOrder, Flow};
use backstitch_domain::PaymentId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, PaymentNoted, PlacedOrder, ShipmentKnown, Stage, cancel, confirm, note_reservation};

/// What was said about the order. News of different contexts come in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its items are reserved.
    Reserved(InventoryReserved),
    /// It is paid for.
    Paid(PaymentId),
    /// Something cannot be done, or does not hold any more.
    CannotBe {
        /// For people.
        reason: String,
    },
}

/// Whom an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// Inventory, to reserve.
    Inventory,
    /// Payment, to charge.
    Payment,
    /// Shipping, to hand it to a carrier.
    Shipping,
}

/// How long an order waits before it is called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For its items to be reserved.
    pub inventory: TimeDelta,
    /// For its payment, all tries together.
    pub payment: TimeDelta,
    /// For a carrier to have it.
    pub shipping: TimeDelta,
}

impl Default for Patience {
    /// As long as the saga would wait: see `sagas/order-fulfilment.yaml`.
    fn default() -> Self {
        Self { inventory: TimeDelta::minutes(5), payment: TimeDelta::seconds(100), shipping: TimeDelta::minutes(2) }
    }
}

impl Patience {
    /// How long to wait for them.
    #[must_use]
    pub const fn with(&self, waiting: Waiting) -> TimeDelta {
        match waiting {
            Waiting::Inventory => self.inventory,
            Waiting::Payment => self.payment,
            Waiting::Shipping => self.shipping,
        }
    }
}

/// Whom the order waits for, if it is one that no saga drives.
#[must_use]
pub fn waits_for(order: &Order) -> Option<Waiting> {
    match followed(order)?.stage {
        Stage::PendingInventory => Some(Waiting::Inventory),
        Stage::PendingPayment { .. } => Some(Waiting::Payment),
        Stage::Confirmed => Some(Waiting::Shipping),
        Stage::Shipped | Stage::Delivered { .. } | Stage::Cancelled { .. } => None,
    }
}

/// What the news mean to an order that no saga drives. Once it is shipped or off, nothing any more.
#[must_use]
pub fn follow(order: &Order, news: &News, now: DateTime<Utc>) -> Vec<OrderEvent> {
    let Some(placed) = followed(order).filter(|_| waits_for(order).is_some()) else { return Vec::new() };
    match news {
        News::Reserved(reserved) => {
            let noted = note_reservation(order, reserved);
            let paid = placed.paid_early.filter(|_| noted.is_some());
            let after = noted.iter().fold(order.clone(), evolved);
            noted.into_iter().chain(paid.into_iter().flat_map(|payment| confirmed(&after, payment, now))).collect()
        }
        News::Paid(payment_id) => match placed.stage {
            Stage::PendingInventory => vec![OrderEvent::PaymentNoted(PaymentNoted { payment_id: *payment_id })],
            _ => confirmed(order, *payment_id, now),
        },
        News::CannotBe { reason } => called_off(order, reason, now),
    }
}

/// Time is up for whoever the order waited for; if it still does, it is called off.
#[must_use]
pub fn give_up(order: &Order, waiting: Waiting, now: DateTime<Utc>) -> Vec<OrderEvent> {
    let whom = match waiting {
        Waiting::Inventory => "inventory",
        Waiting::Payment => "payment",
        Waiting::Shipping => "shipping",
    };
    if waits_for(order) == Some(waiting) { called_off(order, &format!("{whom} was silent"), now) } else { Vec::new() }
}

fn followed(order: &Order) -> Option<&PlacedOrder> {
    order.placed().filter(|placed| placed.placed.flow == Flow::Choreographed)
}

fn evolved(mut order: Order, event: &OrderEvent) -> Order {
    order.evolve(event);
    order
}

// Whoever cannot be confirmed is called off: a saga would be told no, and roll back.
fn confirmed(order: &Order, payment_id: PaymentId, now: DateTime<Utc>) -> Vec<OrderEvent> {
    let Some(placed) = order.placed() else { return Vec::new() };
    if placed.stage == Stage::Confirmed {
        return Vec::new();
    }
    let command = ConfirmOrder { order_id: placed.placed.order_id, payment_id, reserved_until: None };
    confirm(order, &command, now).unwrap_or_else(|refusal| called_off(order, &refusal.to_string(), now))
}

fn called_off(order: &Order, reason: &str, now: DateTime<Utc>) -> Vec<OrderEvent> {
    let Some(placed) = order.placed() else { return Vec::new() };
    let command = CancelOrder { order_id: placed.placed.order_id, reason: reason.to_owned() };
    cancel(order, &command, ShipmentKnown::Nothing, now).unwrap_or_default()
}
