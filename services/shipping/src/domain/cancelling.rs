//! May this shipment be called back, and what does the carrier's answer mean?

use backstitch_contracts::shipping::{CancelShipment, ShipmentCancelled};
use backstitch_domain::OrderId;
use serde::{Deserialize, Serialize};

use super::{Shipment, ShippingEvent};

/// A parcel to be called back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBack {
    /// Idempotency key of the parcel.
    pub key: String,
    /// What it is of.
    pub order_id: OrderId,
}

/// What a command to cancel comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelling {
    /// The carrier has to be asked.
    Ask(CallBack),
    /// The answer is known without it.
    Known(ShippingEvent),
}

/// Why a shipment cannot be called back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelShipmentRefusal {
    /// It arrived.
    #[error("order `{order_id}` is delivered")]
    Delivered {
        /// The order.
        order_id: OrderId,
    },
}

/// Decides on a command to cancel. Where nothing was sent, nothing is called back, which is an answer too.
///
/// # Errors
/// [`CancelShipmentRefusal`] once it arrived.
pub fn cancel(shipment: &Shipment, command: &CancelShipment) -> Result<Cancelling, CancelShipmentRefusal> {
    let order_id = command.order_id;
    match shipment {
        Shipment::Shipped { key, .. } => Ok(Cancelling::Ask(CallBack { key: key.clone(), order_id })),
        Shipment::Delivered { .. } => Err(CancelShipmentRefusal::Delivered { order_id }),
        Shipment::Cancelled(known) => Ok(Cancelling::Known(ShippingEvent::ShipmentCancelled(known.clone()))),
        Shipment::None | Shipment::Requested(_) => Ok(Cancelling::Known(cancelled(command))),
    }
}

/// The shipment is off: called back, or never sent.
#[must_use]
pub fn cancelled(command: &CancelShipment) -> ShippingEvent {
    let CancelShipment { order_id, reason } = command.clone();
    ShippingEvent::ShipmentCancelled(ShipmentCancelled { order_id, reason })
}
