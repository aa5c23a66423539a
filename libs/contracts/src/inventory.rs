//! Events and commands of the inventory context.

use backstitch_domain::{OrderId, ProductId, Quantity};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::payload::payload;

/// The topic of the events.
pub const EVENTS: &str = "inventory.events";
/// The topic of the commands.
pub const COMMANDS: &str = "inventory.commands";

/// So many of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// Every item of the order is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReserved {
    /// The order.
    pub order_id: OrderId,
    /// What is set aside.
    pub items: Vec<Item>,
    /// When the reservation ends unless the order is confirmed before.
    pub reserved_until: DateTime<Utc>,
}
payload!(InventoryReserved, EVENTS);

/// Nothing is set aside, because something is short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReservationFailed {
    /// The order.
    pub order_id: OrderId,
    /// What is short.
    pub items: Vec<Shortage>,
    /// For people.
    pub reason: String,
}
payload!(InventoryReservationFailed, EVENTS);

/// A product of which less is there than was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// Which product.
    pub product_id: ProductId,
    /// Units asked for.
    pub asked: i64,
    /// Units there.
    pub available: i64,
}

/// What was set aside for the order is available again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryReleased {
    /// The order.
    pub order_id: OrderId,
    /// What was given back; empty where nothing had been set aside.
    pub items: Vec<Item>,
}
payload!(InventoryReleased, EVENTS);

/// Goods came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReceived {
    /// Names the delivery; one delivery counts once.
    pub receipt_id: String,
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
}
payload!(StockReceived, EVENTS);

/// Set all items aside, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveInventory {
    /// The order.
    pub order_id: OrderId,
    /// What to set aside.
    pub items: Vec<Item>,
}
payload!(ReserveInventory, COMMANDS);

/// Give back what was set aside for the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseInventory {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(ReleaseInventory, COMMANDS);

/// Take goods in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveStock {
    /// Names the delivery; one delivery counts once.
    pub receipt_id: String,
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
}
payload!(ReceiveStock, COMMANDS);
