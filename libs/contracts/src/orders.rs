//! Events and commands of the order context.

use std::collections::BTreeMap;

use backstitch_domain::{Address, Currency, CustomerId, OrderId, PaymentId, ProductId, Quantity};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Envelope;
use crate::payload::payload;

/// The topic of the events.
pub const EVENTS: &str = "orders.events";
/// The topic of the commands.
pub const COMMANDS: &str = "orders.commands";

/// Who drives an order from placed to shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// A saga of the orchestrator.
    #[default]
    Orchestrated,
    /// The services, each reacting to the others' events.
    Choreographed,
}

/// In the metadata of events: the flow that they belong to, where it is not [`Flow::Orchestrated`].
pub const FLOW: &str = "flow";

impl Flow {
    /// The flow that a message says it belongs to.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        match envelope.metadata.get(FLOW).map(String::as_str) {
            Some("choreographed") => Self::Choreographed,
            Some(_) | None => Self::Orchestrated,
        }
    }

    /// What a message of this flow says in its metadata. Nothing in an orchestrated one: its commands say it.
    #[must_use]
    pub fn metadata(self) -> BTreeMap<String, String> {
        match self {
            Self::Orchestrated => BTreeMap::new(),
            Self::Choreographed => BTreeMap::from([(FLOW.to_owned(), "choreographed".to_owned())]),
        }
    }
}

/// An order was placed, as read by everyone: older versions are upcast to this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlacedV3 {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// What was ordered; never empty.
    pub order_items: Vec<OrderLine>,
    /// Sum of the line totals, minor units.
    pub total_amount: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// Where it goes; absent only from orders placed under an older version.
    #[serde(default)]
    pub shipping_address: Option<Address>,
    /// Who drives it.
    #[serde(default)]
    pub flow: Flow,
}
payload!(OrderPlacedV3, "OrderPlaced", 3, EVENTS);

/// A line of a placed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
    /// Price of one, minor units.
    pub unit_price: i64,
    /// Price of all, minor units.
    pub line_total: i64,
}

/// The order is reserved, paid for and binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// The order.
    pub order_id: OrderId,
    /// The payment that pays for it.
    pub payment_id: PaymentId,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}
payload!(OrderConfirmed, EVENTS);

/// The order cannot be confirmed in the state it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderConfirmationRefused {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(OrderConfirmationRefused, EVENTS);

/// The order is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}
payload!(OrderCancelled, EVENTS);

/// Place an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The order, named by whoever places it.
    pub order_id: OrderId,
    /// Who orders.
    pub customer_id: CustomerId,
    /// What is ordered.
    pub order_items: Vec<WantedLine>,
    /// Of all amounts.
    pub currency: Currency,
    /// Where it goes.
    pub shipping_address: Address,
    /// Who drives it.
    #[serde(default)]
    pub flow: Flow,
}
payload!(PlaceOrder, COMMANDS);

/// A line of an order that is to be placed; its total is not the customer's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
    /// Price of one, minor units.
    pub unit_price: i64,
}

/// Make the order binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmOrder {
    /// The order.
    pub order_id: OrderId,
    /// The payment that pays for it.
    pub payment_id: PaymentId,
    /// Until when its stock is reserved: the proof that it is.
    #[serde(default)]
    pub reserved_until: Option<DateTime<Utc>>,
}
payload!(ConfirmOrder, COMMANDS);

/// Call the order off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// The order.
    pub order_id: OrderId,
    /// For people.
    pub reason: String,
}
payload!(CancelOrder, COMMANDS);
