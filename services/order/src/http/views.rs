//! What callers write and read. Separate from the handlers, and from the domain, whose types are not promised to anyone.

use backstitch_contracts::orders::Flow;
use backstitch_domain::Address;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::read::{OrderLine, OrderRow};

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
    /// `orchestrated` or `choreographed`; as the service is set if absent.
    #[schema(value_type = Option<String>)]
    pub(super) flow: Option<Flow>,
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
    /// Ask for it with `GET /orders/{id}?version=…`, and what was placed here shows there.
    pub(super) version: i64,
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OrderView {
    /// The order.
    pub(super) order_id: Uuid,
    /// `pending_inventory`, `pending_payment`, `confirmed`, `shipped`, `delivered` or `cancelled`.
    pub(super) status: String,
    /// Who ordered; absent from an order that was cancelled before it was placed.
    pub(super) customer_id: Option<Uuid>,
    /// What they are called now, once that is known.
    pub(super) customer_name: Option<String>,
    /// Where they get mail now.
    pub(super) customer_email: Option<String>,
    /// What was ordered.
    pub(super) order_items: Vec<LineView>,
    /// Sum of the line totals, minor units.
    pub(super) total_amount: i64,
    /// ISO 4217.
    pub(super) currency: Option<String>,
    /// Where it goes; absent from orders of old versions.
    pub(super) shipping_address: Option<AddressView>,
    /// `orchestrated` or `choreographed`.
    #[schema(value_type = Option<String>)]
    pub(super) flow: Option<Flow>,
    /// When it was placed.
    pub(super) placed_at: Option<DateTime<Utc>>,
    /// What paid for it.
    pub(super) payment_id: Option<Uuid>,
    /// When it was confirmed.
    pub(super) confirmed_at: Option<DateTime<Utc>>,
    /// As the carrier names it.
    pub(super) tracking_number: Option<String>,
    /// Who carries it.
    pub(super) carrier: Option<String>,
    /// When it was sent.
    pub(super) shipped_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub(super) delivered_at: Option<DateTime<Utc>>,
    /// When it was cancelled.
    pub(super) cancelled_at: Option<DateTime<Utc>>,
    /// Why it was cancelled.
    pub(super) reason: Option<String>,
    /// The newest of the order's own events that shows here.
    pub(super) version: i64,
    /// When the newest event that shows here happened.
    pub(super) last_updated: Option<DateTime<Utc>>,
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

impl From<OrderLine> for LineView {
    fn from(line: OrderLine) -> Self {
        let OrderLine { product_id, quantity, unit_price, line_total } = line;
        Self { product_id, quantity, unit_price, line_total }
    }
}

impl From<OrderRow> for OrderView {
    fn from(row: OrderRow) -> Self {
        Self {
            order_id: row.order_id,
            status: row.status,
            customer_id: row.customer_id,
            customer_name: row.customer_name,
            customer_email: row.customer_email,
            order_items: row.items.into_iter().map(LineView::from).collect(),
            total_amount: row.total_amount,
            currency: row.currency,
            shipping_address: row.shipping_address.as_ref().map(AddressView::from),
            flow: row.flow,
            placed_at: row.placed_at,
            payment_id: row.payment_id,
            confirmed_at: row.confirmed_at,
            tracking_number: row.tracking_number,
            carrier: row.carrier,
            shipped_at: row.shipped_at,
            delivered_at: row.delivered_at,
            cancelled_at: row.cancelled_at,
            reason: row.reason,
            version: row.version,
            last_updated: row.last_updated,
        }
    }
}
