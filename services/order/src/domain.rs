//! What an order is: its events, what they add up to, and (one file each) the decisions about it. Pure: no clock, no
//! store, no broker.

mod cancel;
mod choreographed;
mod confirm;
mod note;
mod place;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_choreographed;

pub use cancel::{CancelOrderRefusal, ShipmentKnown, cancel};
pub use choreographed::{News, Patience, Waiting, follow, give_up, waits_for};
pub use confirm::{ConfirmOrderRefusal, confirm};
pub use note::{note_delivery, note_reservation, note_shipment, note_shipment_cancelled};
pub use place::{DraftLine, DraftOrder, PlaceOrderRefusal, check, place};

use backstitch_contracts::orders::{OrderCancelled, OrderConfirmationRefused, OrderConfirmed, OrderPlacedV3};
use backstitch_domain::PaymentId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Something that happened to an order. A variant's name is the event's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Published.
    OrderPlaced(OrderPlacedV3),
    /// Published.
    OrderConfirmed(OrderConfirmed),
    /// Published; changes nothing.
    OrderConfirmationRefused(OrderConfirmationRefused),
    /// Published.
    OrderCancelled(OrderCancelled),
    /// Private: its items are reserved.
    ReservationNoted(ReservationNoted),
    /// Private: it is paid for, and its items are not known to be reserved yet.
    PaymentNoted(PaymentNoted),
    /// Private: a carrier has it.
    ShipmentNoted(ShipmentNoted),
    /// Private: its shipment was called back.
    ShipmentCancellationNoted(ShipmentCancellationNoted),
    /// Private: it arrived.
    DeliveryNoted(DeliveryNoted),
}

/// The order's items are reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationNoted {
    /// When the reservation ends unless the order is confirmed before.
    pub reserved_until: DateTime<Utc>,
}

/// The order is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentNoted {
    /// The payment.
    pub payment_id: PaymentId,
}

/// A carrier has the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentNoted {
    /// As the carrier names it.
    pub tracking_number: String,
    /// Who carries it.
    pub carrier: String,
    /// When.
    pub shipped_at: DateTime<Utc>,
}

/// The order's shipment was called back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentCancellationNoted {
    /// For people.
    pub reason: String,
}

/// The order arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryNoted {
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// An order, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Not placed, maybe never to be.
    #[default]
    Draft,
    /// Placed, and so far.
    Placed(Box<PlacedOrder>),
    /// Called off before it was ever placed: it cannot be placed any more.
    NeverToBePlaced(OrderCancelled),
}

/// A placed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// As it was placed.
    pub placed: OrderPlacedV3,
    /// How far it has come.
    pub stage: Stage,
    /// What paid for it, where that was heard before the reservation.
    pub paid_early: Option<PaymentId>,
    /// What paid for it, once confirmed.
    pub confirmation: Option<Confirmation>,
    /// What carries it, once shipped.
    pub shipment: Option<ShipmentNoted>,
}

/// Proof that an order is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The payment.
    pub payment_id: PaymentId,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}

/// How far a placed order has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Its items are not reserved yet.
    PendingInventory,
    /// Reserved, not paid for yet.
    PendingPayment {
        /// When the reservation ends.
        reserved_until: DateTime<Utc>,
    },
    /// Reserved and paid for.
    Confirmed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered {
        /// When.
        delivered_at: DateTime<Utc>,
    },
    /// Off.
    Cancelled {
        /// For people.
        reason: String,
        /// When.
        cancelled_at: DateTime<Utc>,
    },
}

impl Order {
    /// The placed order, if it was placed.
    #[must_use]
    pub fn placed(&self) -> Option<&PlacedOrder> {
        match self {
            Self::Placed(order) => Some(order),
            Self::Draft | Self::NeverToBePlaced(_) => None,
        }
    }

    /// The state's name, as the catalog calls it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::NeverToBePlaced(_) => "cancelled",
            Self::Placed(order) => match order.stage {
                Stage::PendingInventory => "pending_inventory",
                Stage::PendingPayment { .. } => "pending_payment",
                Stage::Confirmed => "confirmed",
                Stage::Shipped => "shipped",
                Stage::Delivered { .. } => "delivered",
                Stage::Cancelled { .. } => "cancelled",
            },
        }
    }

    /// Takes one event in. Total: an event that does not fit the state changes nothing, since a decision that saw the
    /// state would not have made it.
    pub fn evolve(&mut self, event: &OrderEvent) {
        match (&mut *self, event) {
            (Self::Draft, OrderEvent::OrderPlaced(placed)) => {
                let stage = Stage::PendingInventory;
                let placed = placed.clone();
                let blank = PlacedOrder { placed, stage, paid_early: None, confirmation: None, shipment: None };
                *self = Self::Placed(Box::new(blank));
            }
            (Self::Draft, OrderEvent::OrderCancelled(cancelled)) => *self = Self::NeverToBePlaced(cancelled.clone()),
            (Self::Placed(order), event) => order.evolve(event),
            (Self::Draft | Self::NeverToBePlaced(_), _) => {}
        }
    }
}

impl PlacedOrder {
    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::OrderPlaced(_) | OrderEvent::OrderConfirmationRefused(_) => {}
            OrderEvent::ReservationNoted(noted) => {
                self.stage = Stage::PendingPayment { reserved_until: noted.reserved_until };
            }
            OrderEvent::PaymentNoted(noted) => self.paid_early = Some(noted.payment_id),
            OrderEvent::OrderConfirmed(confirmed) => {
                let OrderConfirmed { payment_id, confirmed_at, .. } = *confirmed;
                self.confirmation = Some(Confirmation { payment_id, confirmed_at });
                self.stage = Stage::Confirmed;
            }
            OrderEvent::OrderCancelled(cancelled) => {
                let OrderCancelled { reason, cancelled_at, .. } = cancelled.clone();
                self.stage = Stage::Cancelled { reason, cancelled_at };
            }
            OrderEvent::ShipmentNoted(noted) => {
                self.shipment = Some(noted.clone());
                self.stage = Stage::Shipped;
            }
            OrderEvent::ShipmentCancellationNoted(_) => {
                self.shipment = None;
                self.stage = Stage::Confirmed;
            }
            OrderEvent::DeliveryNoted(noted) => {
                self.stage = Stage::Delivered { delivered_at: noted.delivered_at };
            }
        }
    }
}
