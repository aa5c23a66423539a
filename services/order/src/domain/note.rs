//! What the order takes notice of from the other contexts. Their events are facts: nothing is refused here, but what does
//! not fit the order's state, or is noted already, answers nothing.

use backstitch_contracts::inventory::InventoryReserved;
use backstitch_contracts::shipping::{OrderShipped, ShipmentCancelled, ShipmentDelivered};

use super::{DeliveryNoted, Order, OrderEvent, ReservationNoted, ShipmentCancellationNoted, ShipmentNoted, Stage};

/// Its items are reserved: payment comes next.
#[must_use]
pub fn note_reservation(order: &Order, event: &InventoryReserved) -> Option<OrderEvent> {
    let reserved_until = event.reserved_until;
    match order.placed()?.stage {
        Stage::PendingInventory => Some(OrderEvent::ReservationNoted(ReservationNoted { reserved_until })),
        _ => None,
    }
}

/// A carrier has it. Only a confirmed order ships.
#[must_use]
pub fn note_shipment(order: &Order, event: &OrderShipped) -> Option<OrderEvent> {
    let OrderShipped { tracking_number, carrier, shipped_at, .. } = event.clone();
    match order.placed()?.stage {
        Stage::Confirmed => Some(OrderEvent::ShipmentNoted(ShipmentNoted { tracking_number, carrier, shipped_at })),
        _ => None,
    }
}

/// Its shipment was called back: it is merely confirmed again, and can be cancelled.
#[must_use]
pub fn note_shipment_cancelled(order: &Order, event: &ShipmentCancelled) -> Option<OrderEvent> {
    let reason = event.reason.clone();
    match order.placed()?.stage {
        Stage::Shipped => Some(OrderEvent::ShipmentCancellationNoted(ShipmentCancellationNoted { reason })),
        _ => None,
    }
}

/// It arrived. Only a shipped order does.
#[must_use]
pub fn note_delivery(order: &Order, event: &ShipmentDelivered) -> Option<OrderEvent> {
    let delivered_at = event.delivered_at;
    match order.placed()?.stage {
        Stage::Shipped => Some(OrderEvent::DeliveryNoted(DeliveryNoted { delivered_at })),
        _ => None,
    }
}
