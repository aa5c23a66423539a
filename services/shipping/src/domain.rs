//! What a shipment is: its events, what they add up to, and the decisions about sending and calling back. Pure: the
//! carrier is asked elsewhere, and its certain outcome comes in as a value.

mod cancelling;
mod choreographed;
mod delivering;
mod sending;
#[cfg(test)]
mod stories;

pub use cancelling::{CallBack, CancelShipmentRefusal, Cancelling, cancel, cancelled};
pub use choreographed::{Following, Leaving, called_back, hear_confirmed, hear_placed, leave, settle_followed};
pub use delivering::{note_delivery, pause};
pub use sending::{Sending, refused, settle_parcel, ship};

use backstitch_contracts::shipping::{OrderShipped, ShipOrder, ShipmentCancelled, ShipmentDelivered, ShipmentFailed};
use backstitch_domain::{Address, OrderId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Something that happened to a shipment. A variant's name is the event's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShippingEvent {
    /// Private: the carrier is being asked.
    ParcelRequested(Parcel),
    /// Private: the carrier did not take the parcel.
    ParcelRefused(ParcelRefused),
    /// Private: an order was placed that no saga drives.
    ShipmentWanted(ShipOrder),
    /// Private: such an order is confirmed.
    ConfirmationHeard(ConfirmationHeard),
    /// Private: such an order is off.
    FlowLeft(FlowLeft),
    /// Published: the carrier has the parcel.
    OrderShipped(OrderShipped),
    /// Published: it has not.
    ShipmentFailed(ShipmentFailed),
    /// Published: the shipment is off, or never was.
    ShipmentCancelled(ShipmentCancelled),
    /// Published: the parcel arrived.
    ShipmentDelivered(ShipmentDelivered),
}

/// The carrier did not take the parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelRefused {
    /// The parcel's idempotency key.
    pub key: String,
}

/// An order is confirmed that no saga drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmationHeard {
    /// The order.
    pub order_id: OrderId,
}

/// An order is off that no saga drove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLeft {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}

/// A parcel to be handed to the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Idempotency key: the same for every attempt of one try of one command.
    pub key: String,
    /// What it is of.
    pub order_id: OrderId,
    /// Where it goes.
    pub address: Address,
}

/// What became of a parcel, for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ParcelOutcome {
    /// The carrier has it.
    Taken {
        /// As the carrier names it.
        tracking_number: String,
        /// Who carries it.
        carrier: String,
        /// When.
        shipped_at: DateTime<Utc>,
    },
    /// It has not, and never will under this key.
    Refused {
        /// For people.
        reason: String,
    },
}

/// A shipment, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shipment {
    /// Nothing was sent.
    #[default]
    None,
    /// The carrier is being asked.
    Requested(Parcel),
    /// On its way.
    Shipped {
        /// The public event.
        shipped: OrderShipped,
        /// The carrier's idempotency key.
        key: String,
    },
    /// Arrived.
    Delivered {
        /// The public event of the sending.
        shipped: OrderShipped,
        /// When it arrived.
        delivered_at: DateTime<Utc>,
    },
    /// Called back.
    Cancelled(ShipmentCancelled),
}

impl Shipment {
    /// The state's name.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Requested(_) => "requested",
            Self::Shipped { .. } => "shipped",
            Self::Delivered { .. } => "delivered",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// Takes one event in. Total: what does not fit changes nothing.
    pub fn evolve(&mut self, event: &ShippingEvent) {
        match (&*self, event) {
            (Self::None, ShippingEvent::ParcelRequested(parcel)) => *self = Self::Requested(parcel.clone()),
            (Self::Requested(parcel), ShippingEvent::ParcelRefused(refused)) if parcel.key == refused.key => {
                *self = Self::None;
            }
            (Self::Requested(parcel), ShippingEvent::OrderShipped(shipped)) => {
                *self = Self::Shipped { shipped: shipped.clone(), key: parcel.key.clone() };
            }
            // A cancellation of nothing leaves nothing: another command may still ship.
            (Self::Shipped { .. }, ShippingEvent::ShipmentCancelled(cancelled)) => {
                *self = Self::Cancelled(cancelled.clone());
            }
            (Self::Shipped { shipped, .. }, ShippingEvent::ShipmentDelivered(delivered)) => {
                *self = Self::Delivered { shipped: shipped.clone(), delivered_at: delivered.delivered_at };
            }
            _ => {}
        }
    }
}
