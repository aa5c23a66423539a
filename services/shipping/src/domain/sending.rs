//! May this order be shipped, and what do the carrier's answers mean?

use backstitch_contracts::shipping::{OrderShipped, ShipOrder, ShipmentFailed};
use backstitch_domain::OrderId;
use uuid::Uuid;

use super::{Parcel, ParcelOutcome, ParcelRefused, Shipment, ShippingEvent};

/// What a command to ship comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// The carrier has to be asked.
    Ask(Parcel),
    /// The answer is known without it.
    Known(ShippingEvent),
}

/// Decides on a command to ship. An order is shipped once: asking again answers the first shipment.
#[must_use]
pub fn ship(shipment: &Shipment, command: &ShipOrder, command_id: Uuid, attempt: u32) -> Sending {
    let order_id = command.order_id;
    let failed = |reason: &str| Sending::Known(refused(order_id, reason));
    match shipment {
        Shipment::Shipped { shipped, .. } | Shipment::Delivered { shipped, .. } => {
            Sending::Known(ShippingEvent::OrderShipped(shipped.clone()))
        }
        Shipment::Cancelled(_) => failed("the order's shipment was cancelled"),
        Shipment::Requested(_) => failed("the order is already being shipped"),
        Shipment::None if command.items.is_empty() => failed("there is nothing to ship"),
        Shipment::None => match &command.shipping_address {
            None => failed("the order has no shipping address"),
            Some(address) => {
                Sending::Ask(Parcel { key: format!("{command_id}:{attempt}"), order_id, address: address.clone() })
            }
        },
    }
}

/// What a certain outcome means.
#[must_use]
pub fn settle_parcel(parcel: &Parcel, outcome: &ParcelOutcome) -> Vec<ShippingEvent> {
    let order_id = parcel.order_id;
    match outcome.clone() {
        ParcelOutcome::Taken { tracking_number, carrier, shipped_at } => {
            vec![ShippingEvent::OrderShipped(OrderShipped { order_id, tracking_number, carrier, shipped_at })]
        }
        ParcelOutcome::Refused { reason } => {
            let ended = ShippingEvent::ParcelRefused(ParcelRefused { key: parcel.key.clone() });
            vec![ended, refused(order_id, &reason)]
        }
    }
}

/// The order is not shipped.
#[must_use]
pub fn refused(order_id: OrderId, reason: &str) -> ShippingEvent {
    ShippingEvent::ShipmentFailed(ShipmentFailed { order_id, reason: reason.to_owned() })
}
