//! What callers write and read. Separate from the handlers, and from the domain, whose types are not promised to anyone.

use backstitch_contracts::orders::Flow;
use backstitch_domain::Address;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{Order, PlacedOrder, Stage};

/// An order to be placed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceRequest {
    /// The order's id; placing the same order twice under one id is placing it once. One of ours if absent.
    pub(super) order_id: Option<Uuid>,
    /// Who orders.
    pub(super) customer_id: Uuid,
    /// What is ordered.
    #[serde(default)]
    pub(super) order_items: Vec<LineRequest>,
    /// ISO 4217, of all prices.
    pub(super) currency: String,
    /// Where it goes.
    pub(super) shipping_address: Option<AddressView>,
    /// `orchestrated` (default) or `choreographed`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) flow: Flow,
}

/// A line of an order to be placed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LineRequest {
    /// Which product, of 1 to 64 characters.
    pub(super) product_id: String,
    /// How many.
    pub(super) quantity: i64,
    /// Price of one, minor units.
    pub(super) unit_price: i64,
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressView {
    /// Who receives it.
    pub(super) name: Option<String>,
    /// Street and number.
    pub(super) line1: String,
    /// What did not fit there.
    pub(super) line2: Option<String>,
    /// The town.
    pub(super) city: String,
    /// As that country writes it.
    pub(super) postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub(super) country: String,
}

/// An order as it was just placed, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PlacedView {
    /// The order.
    pub(super) order_id: Uuid,
    /// `accepted` while its command is on its way, then as in `GET /orders/{id}`.
    pub(super) status: &'static str,
    /// Sum of the line totals, minor units.
    pub(super) total_amount: i64,
    /// ISO 4217.
    pub(super) currency: String,
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OrderView {
    /// The order.
    pub(super) order_id: Uuid,
    /// `pending_inventory`, `pending_payment`, `confirmed`, `shipped`, `delivered` or `cancelled`.
    pub(super) status: &'static str,
    /// Who ordered; absent from an order that was cancelled before it was placed.
    pub(super) customer_id: Option<Uuid>,
    /// What was ordered.
    pub(super) order_items: Vec<LineView>,
    /// Sum of the line totals, minor units.
    pub(super) total_amount: i64,
    /// ISO 4217.
    pub(super) currency: Option<String>,
    /// Where it goes; absent from orders of old versions.
    pub(super) shipping_address: Option<AddressView>,
    /// What paid for it.
    pub(super) payment_id: Option<Uuid>,
    /// When it was confirmed.
    pub(super) confirmed_at: Option<DateTime<Utc>>,
    /// As the carrier names it.
    pub(super) tracking_number: Option<String>,
    /// When it was sent.
    pub(super) shipped_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub(super) delivered_at: Option<DateTime<Utc>>,
    /// When it was cancelled.
    pub(super) cancelled_at: Option<DateTime<Utc>>,
    /// Why it was cancelled.
    pub(super) reason: Option<String>,
}

/// A line of a placed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct LineView {
    /// Which product.
    pub(super) product_id: String,
    /// How many.
    pub(super) quantity: u32,
    /// Price of one, minor units.
    pub(super) unit_price: i64,
    /// Price of all, minor units.
    pub(super) line_total: i64,
}

impl From<&Address> for AddressView {
    fn from(address: &Address) -> Self {
        let parts = address.parts().clone();
        Self {
            name: parts.name,
            line1: parts.line1,
            line2: parts.line2,
            city: parts.city,
            postal_code: parts.postal_code,
            country: parts.country,
        }
    }
}

impl OrderView {
    /// `None` while the order is a draft that nobody knows of.
    pub(super) fn of(order_id: Uuid, order: &Order) -> Option<Self> {
        let mut view = Self::blank(order_id, order.status());
        match order {
            Order::Draft => return None,
            Order::NeverToBePlaced(cancelled) => view.is_off(&cancelled.reason, cancelled.cancelled_at),
            Order::Placed(placed) => view.is_placed(placed),
        }
        Some(view)
    }

    const fn blank(order_id: Uuid, status: &'static str) -> Self {
        Self {
            order_id,
            status,
            customer_id: None,
            order_items: Vec::new(),
            total_amount: 0,
            currency: None,
            shipping_address: None,
            payment_id: None,
            confirmed_at: None,
            tracking_number: None,
            shipped_at: None,
            delivered_at: None,
            cancelled_at: None,
            reason: None,
        }
    }

    fn is_off(&mut self, reason: &str, cancelled_at: DateTime<Utc>) {
        self.reason = Some(reason.to_owned());
        self.cancelled_at = Some(cancelled_at);
    }

    fn is_placed(&mut self, order: &PlacedOrder) {
        let lines = order.placed.order_items.iter().map(|line| LineView {
            product_id: line.product_id.to_string(),
            quantity: line.quantity.units(),
            unit_price: line.unit_price,
            line_total: line.line_total,
        });
        self.order_items = lines.collect();
        self.customer_id = Some(order.placed.customer_id.uuid());
        self.total_amount = order.placed.total_amount;
        self.currency = Some(order.placed.currency.to_string());
        self.shipping_address = order.placed.shipping_address.as_ref().map(AddressView::from);
        self.payment_id = order.confirmation.map(|known| known.payment_id.uuid());
        self.confirmed_at = order.confirmation.map(|known| known.confirmed_at);
        self.tracking_number = order.shipment.as_ref().map(|known| known.tracking_number.clone());
        self.shipped_at = order.shipment.as_ref().map(|known| known.shipped_at);
        match &order.stage {
            Stage::Delivered { delivered_at } => self.delivered_at = Some(*delivered_at),
            Stage::Cancelled { reason, cancelled_at } => self.is_off(reason, *cancelled_at),
            Stage::PendingInventory | Stage::PendingPayment { .. } | Stage::Confirmed | Stage::Shipped => {}
        }
    }
}
