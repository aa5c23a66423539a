//! Sales per product and day. A sale is an order that was confirmed and not cancelled; it counts on the day of its
//! confirmation, by UTC. One row an order remembers what it counts for, so that a cancellation takes exactly that back.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstitch_contracts::Payload;
use backstitch_contracts::orders::{self, OrderCancelled, OrderConfirmed, OrderPlacedV3};
use backstitch_domain::OrderId;
use backstitch_projection::{Event, Projection, Sums, Table, Tables, Unfit};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

/// Sales per product and day.
#[derive(Debug, Clone, Copy, Default)]
pub struct SalesModel;

const TABLES: Tables = Tables {
    ddl: "-- What each order would count for.
        CREATE TABLE orders (
            order_id     uuid PRIMARY KEY,
            currency     text,
            products     jsonb NOT NULL DEFAULT '{}',
            confirmed_at timestamptz,
            cancelled    boolean NOT NULL DEFAULT false
        ) WITH (fillfactor = 60);
        ALTER TABLE orders ALTER COLUMN products SET STATISTICS 0;
        CREATE TABLE sales (
            product_id text NOT NULL,
            day        date NOT NULL,
            currency   text NOT NULL,
            orders     bigint NOT NULL,
            units      bigint NOT NULL,
            amount     bigint NOT NULL,
            PRIMARY KEY (product_id, day, currency)
        ) WITH (fillfactor = 80);
        CREATE INDEX sales_by_day ON sales (day, product_id, currency)",
    shown: &["sales"],
    compared: &["sales", "orders"],
};
const ORDERS: Table = Table::new("orders", "order_id", "uuid");
const SALES_COLUMNS: [&str; 3] = ["orders", "units", "amount"];

/// What an event says about sales.
#[derive(Debug, Clone)]
pub enum Fact {
    /// So much was ordered.
    Placed(Box<OrderPlacedV3>),
    /// It counts from now on.
    Confirmed(OrderConfirmed),
    /// It never counts.
    Cancelled(OrderId),
}

/// What an order would count for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SaleRow {
    order_id: Uuid,
    currency: Option<String>,
    products: BTreeMap<String, Sold>,
    confirmed_at: Option<DateTime<Utc>>,
    cancelled: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sold {
    units: i64,
    amount: i64,
}

/// Which product, day and currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SaleKey {
    /// The product.
    pub product_id: String,
    /// The day, by UTC.
    pub day: NaiveDate,
    /// ISO 4217.
    pub currency: String,
}

impl SaleRow {
    #[cfg(test)]
    pub(super) fn blank(order_id: Uuid) -> Self {
        Self { order_id, currency: None, products: BTreeMap::new(), confirmed_at: None, cancelled: false }
    }

    pub(super) fn fold(&mut self, fact: &Fact) {
        match fact {
            Fact::Placed(placed) => {
                let mut products: BTreeMap<String, Sold> = BTreeMap::new();
                for line in &placed.order_items {
                    let sold = products.entry(line.product_id.to_string()).or_default();
                    sold.units += i64::from(line.quantity.units());
                    sold.amount = sold.amount.saturating_add(line.line_total);
                }
                self.products = products;
                self.currency = Some(placed.currency.to_string());
            }
            Fact::Confirmed(confirmed) => {
                self.confirmed_at.get_or_insert(confirmed.confirmed_at);
            }
            Fact::Cancelled(_) => self.cancelled = true,
        }
    }

    /// What it counts for: orders, units, amount.
    pub(super) fn counts(&self) -> impl Iterator<Item = (SaleKey, [i64; 3])> {
        let day = self.confirmed_at.filter(|_| !self.cancelled).map(|at| at.date_naive());
        let counted = day.zip(self.currency.clone());
        self.products.iter().filter_map(move |(product_id, sold)| {
            let (day, currency) = counted.clone()?;
            let key = SaleKey { product_id: product_id.clone(), day, currency };
            Some((key, [1, sold.units, sold.amount]))
        })
    }
}

impl Fact {
    const fn order_id(&self) -> OrderId {
        match self {
            Self::Placed(placed) => placed.order_id,
            Self::Confirmed(confirmed) => confirmed.order_id,
            Self::Cancelled(order_id) => *order_id,
        }
    }
}

#[async_trait]
impl Projection for SalesModel {
    type Fact = Fact;

    fn name(&self) -> &'static str {
        "sales"
    }

    fn shape(&self) -> i32 {
        1
    }

    fn topics(&self) -> &'static [&'static str] {
        &[orders::EVENTS]
    }

    fn tables(&self) -> Tables {
        TABLES
    }

    fn read(&self, event: &Event) -> Result<Option<Fact>, Unfit> {
        Ok(match event.envelope.event_type.as_str() {
            OrderPlacedV3::EVENT_TYPE => Some(Fact::Placed(Box::new(event.typed()?))),
            OrderConfirmed::EVENT_TYPE => Some(Fact::Confirmed(event.typed()?)),
            OrderCancelled::EVENT_TYPE => Some(Fact::Cancelled(event.typed::<OrderCancelled>()?.order_id)),
            _ => None,
        })
    }

    async fn apply(&self, facts: Vec<Fact>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let keys: BTreeSet<OrderId> = facts.iter().map(Fact::order_id).collect();
        let mut rows: BTreeMap<OrderId, SaleRow> = ORDERS.lock(&keys, db).await?;
        let mut sales = Sums::new("sales", SALES_COLUMNS);
        sales.take(rows.values().flat_map(SaleRow::counts));
        for fact in &facts {
            if let Some(row) = rows.get_mut(&fact.order_id()) {
                row.fold(fact);
            }
        }
        sales.add(rows.values().flat_map(SaleRow::counts));
        ORDERS.save(&rows.into_values().collect::<Vec<_>>(), db).await?;
        sales.save(db).await
    }
}
