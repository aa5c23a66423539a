//! Events and commands of the shipping context.

use backstitch_domain::{Address, OrderId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::inventory::Item;
use crate::payload::payload;

/// The topic of the events.
pub const EVENTS: &str = "shipping.events";
/// The topic of the commands.
pub const COMMANDS: &str = "shipping.commands";

/// The carrier has the parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderShipped {
    /// The order.
    pub order_id: OrderId,
    /// As the carrier names it.
    pub tracking_number: String,
    /// Who carries it.
    pub carrier: String,
    /// When.
    pub shipped_at: DateTime<Utc>,
}
payload!(OrderShipped, EVENTS);

/// The parcel arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentDelivered {
    /// The order.
    pub order_id: OrderId,
    /// When.
    pub delivered_at: DateTime<Utc>,
}
payload!(ShipmentDelivered, EVENTS);

/// The order was not shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentFailed {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(ShipmentFailed, EVENTS);

/// The shipment is off, or never was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentCancelled {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(ShipmentCancelled, EVENTS);

/// Hand the order to a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it goes; orders of old versions never had an address, and are refused.
    #[serde(default)]
    pub shipping_address: Option<Address>,
    /// What is shipped.
    pub items: Vec<Item>,
}
payload!(ShipOrder, COMMANDS);

/// Stop or call back the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelShipment {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(CancelShipment, COMMANDS);
