//! What stock is and who has a claim on it: events, what they add up to, and the decisions. Pure: no clock, no store, no
//! broker.
//!
//! Two kinds of streams: an order's reservation (or a delivery's receipt) is the service's own; a product's stock is
//! shared by all orders that want it.

mod choreographed;
mod receipt;
mod reservation;
mod stock;
#[cfg(test)]
mod stories;

pub use choreographed::{Following, join, leave};
pub use receipt::{Receipt, receive};
pub use reservation::{Reservation, confirm, expire, release, reserve};
pub use stock::Stock;

use std::collections::BTreeMap;

use backstitch_contracts::inventory::{
    InventoryReleased, InventoryReservationFailed, InventoryReserved, StockReceived,
};
use backstitch_domain::{OrderId, ProductId, Quantity};
use serde::{Deserialize, Serialize};

/// Something that happened. A variant's name is the event's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InventoryEvent {
    /// Published: an order has a claim on all of its items.
    InventoryReserved(InventoryReserved),
    /// Published: an order has a claim on nothing.
    InventoryReservationFailed(InventoryReservationFailed),
    /// Published: an order's claim is over.
    InventoryReleased(InventoryReleased),
    /// Private: an order's claim does not expire any more.
    ReservationConfirmed(ReservationConfirmed),
    /// Private: the order was placed, and no saga drives it.
    FlowJoined(FlowJoined),
    /// Private: the order is off, and no saga drove it.
    FlowLeft(FlowLeft),
    /// Published: goods came in.
    StockReceived(StockReceived),
    /// Private, of a product: goods came in.
    StockAdded(StockAdded),
    /// Private, of a product: an order has a claim on some.
    StockReserved(StockClaim),
    /// Private, of a product: an order's claim on some is over.
    StockReturned(StockClaim),
}

/// An order's claim does not expire any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationConfirmed {
    /// The order.
    pub order_id: OrderId,
}

/// An order was placed that no saga drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowJoined {
    /// The order.
    pub order_id: OrderId,
}

/// An order is off that no saga drove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLeft {
    /// The order.
    pub order_id: OrderId,
}

/// Goods came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockAdded {
    /// The delivery.
    pub receipt_id: String,
    /// How many.
    pub quantity: Quantity,
}

/// An order's claim on a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockClaim {
    /// The order.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Quantity,
}

/// Stock by product: what a decision may look at.
pub type Stocks = BTreeMap<ProductId, Stock>;

/// What a decision comes to: an event of the own stream, and what it means for each product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// In the own stream.
    pub event: InventoryEvent,
    /// In the products' streams, at most one each.
    pub stock: Vec<(ProductId, InventoryEvent)>,
}

impl Decision {
    /// An event that moves no stock.
    const fn only(event: InventoryEvent) -> Self {
        Self { event, stock: Vec::new() }
    }
}
