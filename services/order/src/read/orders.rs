//! The order view: one row an order, with everything that a list or a page shows, the customer's name included.
//!
//! A row is a set of facts, each with columns of its own, and its status follows from those that are there. So it does
//! not matter in which order the topics are read, and a repeat changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstitch_contracts::Payload;
use backstitch_contracts::customers::{self, CustomerChanged, CustomerRegistered};
use backstitch_contracts::inventory::{self, InventoryReserved};
use backstitch_contracts::orders::{
    self, Flow, OrderCancelled, OrderConfirmationRefused, OrderConfirmed, OrderPlacedV3,
};
use backstitch_contracts::shipping::{self, OrderShipped, ShipmentCancelled, ShipmentDelivered};
use backstitch_domain::{Address, CustomerId, OrderId};
use backstitch_projection::{Event, Projection, Sums, Table, Tables, Unfit};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::customers::{CustomerRow, TOTAL_COLUMNS, TotalKey, greet, total_of};

/// Orders as they are shown, and what each customer's come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrdersModel;

const TABLES: Tables = Tables {
    ddl: include_str!("orders.sql"),
    shown: &["orders", "customer_totals"],
    compared: &["orders", "customers", "customer_totals"],
};
const ORDERS: Table = Table::new("orders", "order_id", "uuid");
const CUSTOMERS: Table = Table::new("customers", "customer_id", "uuid");

/// A row of the order view; its fields are the table's columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order_id: Uuid,
    /// How far it has come, as the catalog calls it.
    pub status: String,
    /// Who ordered; absent while only others have spoken of the order.
    pub customer_id: Option<Uuid>,
    /// What the customer is called now.
    pub customer_name: Option<String>,
    /// Where they get mail now.
    pub customer_email: Option<String>,
    /// What was ordered.
    pub items: Vec<OrderLine>,
    /// Sum of the line totals, minor units.
    pub total_amount: i64,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Where it goes; absent from orders of old versions.
    pub shipping_address: Option<Address>,
    /// Who drives it.
    pub flow: Option<Flow>,
    /// What paid for it.
    pub payment_id: Option<Uuid>,
    /// As the carrier names it.
    pub tracking_number: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// When it was placed.
    pub placed_at: Option<DateTime<Utc>>,
    /// When its items were reserved.
    pub reserved_at: Option<DateTime<Utc>>,
    /// When it was confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it was sent.
    pub shipped_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The newest event of the order's own stream that shows here.
    pub version: i64,
    /// The newest event of its shipment's stream that shows here.
    pub shipment_version: i64,
    /// When the newest of all these events happened.
    pub last_updated: Option<DateTime<Utc>>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Which product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
    /// Price of one, minor units.
    pub unit_price: i64,
    /// Price of all, minor units.
    pub line_total: i64,
}

/// What an event says about an order or a customer.
#[derive(Debug, Clone)]
pub enum Fact {
    /// Something happened to an order.
    Order(Said),
    /// Somebody is called so.
    Customer(CustomerRow),
}

/// What happened to an order, when, and which event of its stream that was.
#[derive(Debug, Clone)]
pub struct Said {
    pub(super) order_id: OrderId,
    pub(super) at: DateTime<Utc>,
    pub(super) version: Option<i64>,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Placed(Box<OrderPlacedV3>),
    Reserved,
    Confirmed(OrderConfirmed),
    NotConfirmed,
    Cancelled(OrderCancelled),
    Shipped(OrderShipped),
    CalledBack,
    Delivered(ShipmentDelivered),
}

impl OrderRow {
    #[cfg(test)]
    pub(super) fn blank(order_id: Uuid) -> Self {
        Self {
            order_id,
            status: "draft".to_owned(),
            customer_id: None,
            customer_name: None,
            customer_email: None,
            items: Vec::new(),
            total_amount: 0,
            currency: None,
            shipping_address: None,
            flow: None,
            payment_id: None,
            tracking_number: None,
            carrier: None,
            placed_at: None,
            reserved_at: None,
            confirmed_at: None,
            shipped_at: None,
            delivered_at: None,
            cancelled_at: None,
            reason: None,
            version: 0,
            shipment_version: 0,
            last_updated: None,
        }
    }

    /// Takes a fact in.
    pub(super) fn fold(&mut self, said: &Said) {
        match &said.what {
            What::Placed(placed) => self.is_placed(placed, said.at),
            What::Reserved => {
                self.reserved_at.get_or_insert(said.at);
            }
            What::Confirmed(confirmed) => {
                self.confirmed_at.get_or_insert(confirmed.confirmed_at);
                self.payment_id.get_or_insert(confirmed.payment_id.uuid());
            }
            What::NotConfirmed => {}
            What::Cancelled(cancelled) => {
                self.cancelled_at.get_or_insert(cancelled.cancelled_at);
                self.reason.get_or_insert_with(|| cancelled.reason.clone());
            }
            What::Shipped(shipped) => {
                if self.is_news_of_the_shipment(said) {
                    self.tracking_number = Some(shipped.tracking_number.clone());
                    self.carrier = Some(shipped.carrier.clone());
                    self.shipped_at = Some(shipped.shipped_at);
                }
            }
            What::CalledBack => {
                if self.is_news_of_the_shipment(said) {
                    (self.tracking_number, self.carrier, self.shipped_at) = (None, None, None);
                }
            }
            What::Delivered(delivered) => {
                self.delivered_at.get_or_insert(delivered.delivered_at);
            }
        }
        if said.what.is_of_the_order() {
            // A producer without streams counts as the first who spoke.
            self.version = self.version.max(said.version.unwrap_or(1));
        }
        self.last_updated = self.last_updated.max(Some(said.at));
        self.status = self.status_now().to_owned();
    }

    fn is_placed(&mut self, placed: &OrderPlacedV3, at: DateTime<Utc>) {
        if self.placed_at.is_some() {
            return;
        }
        let lines = placed.order_items.iter().map(|line| OrderLine {
            product_id: line.product_id.to_string(),
            quantity: line.quantity.units(),
            unit_price: line.unit_price,
            line_total: line.line_total,
        });
        self.items = lines.collect();
        self.customer_id = Some(placed.customer_id.uuid());
        self.total_amount = placed.total_amount;
        self.currency = Some(placed.currency.to_string());
        self.shipping_address = placed.shipping_address.clone();
        self.flow = Some(placed.flow);
        self.placed_at = Some(at);
    }

    /// An old event that is published again must not bring a shipment back.
    fn is_news_of_the_shipment(&mut self, said: &Said) -> bool {
        let Some(version) = said.version else { return true };
        let news = version > self.shipment_version;
        self.shipment_version = self.shipment_version.max(version);
        news
    }

    fn status_now(&self) -> &'static str {
        match self {
            _ if self.cancelled_at.is_some() => "cancelled",
            _ if self.delivered_at.is_some() => "delivered",
            _ if self.shipped_at.is_some() => "shipped",
            _ if self.confirmed_at.is_some() => "confirmed",
            _ if self.placed_at.is_none() => "draft",
            _ if self.reserved_at.is_some() => "pending_payment",
            _ => "pending_inventory",
        }
    }
}

impl What {
    const fn is_of_the_order(&self) -> bool {
        matches!(self, Self::Placed(_) | Self::Confirmed(_) | Self::NotConfirmed | Self::Cancelled(_))
    }
}

#[async_trait]
impl Projection for OrdersModel {
    type Fact = Fact;

    fn name(&self) -> &'static str {
        "orders"
    }

    fn shape(&self) -> i32 {
        1
    }

    fn topics(&self) -> &'static [&'static str] {
        &[orders::EVENTS, inventory::EVENTS, shipping::EVENTS, customers::EVENTS]
    }

    fn tables(&self) -> Tables {
        TABLES
    }

    fn read(&self, event: &Event) -> Result<Option<Fact>, Unfit> {
        let said = |order_id, what| {
            let version = event.envelope.stream_version().map(|version| i64::try_from(version).unwrap_or(i64::MAX));
            Some(Fact::Order(Said { order_id, at: event.at(), version, what }))
        };
        Ok(match event.envelope.event_type.as_str() {
            OrderPlacedV3::EVENT_TYPE => {
                let placed: OrderPlacedV3 = event.typed()?;
                said(placed.order_id, What::Placed(Box::new(placed)))
            }
            InventoryReserved::EVENT_TYPE => said(event.typed::<InventoryReserved>()?.order_id, What::Reserved),
            OrderConfirmed::EVENT_TYPE => {
                let confirmed: OrderConfirmed = event.typed()?;
                said(confirmed.order_id, What::Confirmed(confirmed))
            }
            OrderConfirmationRefused::EVENT_TYPE => {
                said(event.typed::<OrderConfirmationRefused>()?.order_id, What::NotConfirmed)
            }
            OrderCancelled::EVENT_TYPE => {
                let cancelled: OrderCancelled = event.typed()?;
                said(cancelled.order_id, What::Cancelled(cancelled))
            }
            OrderShipped::EVENT_TYPE => {
                let shipped: OrderShipped = event.typed()?;
                said(shipped.order_id, What::Shipped(shipped))
            }
            ShipmentCancelled::EVENT_TYPE => said(event.typed::<ShipmentCancelled>()?.order_id, What::CalledBack),
            ShipmentDelivered::EVENT_TYPE => {
                let delivered: ShipmentDelivered = event.typed()?;
                said(delivered.order_id, What::Delivered(delivered))
            }
            CustomerRegistered::EVENT_TYPE => {
                let CustomerRegistered { customer_id, name, email } = event.typed()?;
                Some(Fact::Customer(CustomerRow::known(customer_id, name, email, event.at())))
            }
            CustomerChanged::EVENT_TYPE => {
                let CustomerChanged { customer_id, name, email } = event.typed()?;
                Some(Fact::Customer(CustomerRow::known(customer_id, name, email, event.at())))
            }
            _ => None,
        })
    }

    // Customers first, then orders, then sums, each in the order of their keys: so two lanes never wait for each other,
    // and an order that is placed while its customer changes has one name or the other, never neither.
    async fn apply(&self, facts: Vec<Fact>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let customers = apply_customers(&facts, db).await?;
        let keys: BTreeSet<OrderId> = facts.iter().filter_map(Fact::order).map(|said| said.order_id).collect();
        let before: BTreeMap<OrderId, OrderRow> = ORDERS.lock(&keys, db).await?;
        let mut rows = before.clone();
        fold_all(&mut rows, &facts, &customers);
        let mut totals = Sums::new("customer_totals", TOTAL_COLUMNS);
        totals.take(before.values().filter_map(total_of));
        totals.add(rows.values().filter_map(total_of));
        ORDERS.save(&rows.into_values().collect::<Vec<_>>(), db).await?;
        totals.save(db).await
    }
}

impl Fact {
    const fn order(&self) -> Option<&Said> {
        match self {
            Self::Order(said) => Some(said),
            Self::Customer(_) => None,
        }
    }

    fn customer(&self) -> Option<&CustomerRow> {
        match self {
            Self::Order(_) => None,
            Self::Customer(row) => Some(row),
        }
    }

    /// Whose row it touches: the customer's own, or that of whoever ordered.
    fn customer_id(&self) -> Option<CustomerId> {
        match self {
            Self::Customer(row) => Some(CustomerId::new(row.customer_id)),
            Self::Order(Said { what: What::Placed(placed), .. }) => Some(placed.customer_id),
            Self::Order(_) => None,
        }
    }
}

/// Folds a batch over rows that are there already, blank or not. Pure.
pub(super) fn fold_all(
    rows: &mut BTreeMap<OrderId, OrderRow>,
    facts: &[Fact],
    customers: &BTreeMap<CustomerId, CustomerRow>,
) {
    for said in facts.iter().filter_map(Fact::order) {
        let Some(row) = rows.get_mut(&said.order_id) else { continue };
        row.fold(said);
        if let (What::Placed(_), Some(customer)) = (&said.what, row.customer_id.map(CustomerId::new)) {
            greet(row, customers.get(&customer));
        }
    }
}

/// The customers that the batch speaks of, as they are after it. Their older orders learn a new name at once.
async fn apply_customers(
    facts: &[Fact],
    db: &mut PgConnection,
) -> Result<BTreeMap<CustomerId, CustomerRow>, sqlx::Error> {
    let keys: BTreeSet<CustomerId> = facts.iter().filter_map(Fact::customer_id).collect();
    let mut customers: BTreeMap<CustomerId, CustomerRow> = CUSTOMERS.lock(&keys, db).await?;
    let mut changed = BTreeSet::new();
    for news in facts.iter().filter_map(Fact::customer) {
        let key = CustomerId::new(news.customer_id);
        if customers.get_mut(&key).is_some_and(|row| row.fold(news)) {
            changed.insert(key);
        }
    }
    let changed: Vec<CustomerRow> = changed.iter().filter_map(|key| customers.get(key)).cloned().collect();
    CUSTOMERS.save(&changed, db).await?;
    if !changed.is_empty() {
        sqlx::query(
            "UPDATE orders AS o SET customer_name = c.name, customer_email = c.email
             FROM unnest($1::uuid[], $2::text[], $3::text[]) AS c (customer_id, name, email)
             WHERE o.customer_id = c.customer_id",
        )
        .bind(changed.iter().map(|row| row.customer_id).collect::<Vec<_>>())
        .bind(changed.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
        .bind(changed.iter().map(|row| row.email.clone()).collect::<Vec<_>>())
        .execute(db)
        .await?;
    }
    Ok(customers)
}

impl TotalKey {
    pub(super) fn of(row: &OrderRow) -> Option<Self> {
        Some(Self { customer_id: row.customer_id?, currency: row.currency.clone()? })
    }
}
