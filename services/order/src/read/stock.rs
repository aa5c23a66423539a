//! Stock levels: what came in, what is set aside, what is sold. Folded from the inventory's events, which say what
//! happened to whole orders, not to products: so one row an order remembers what it holds.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstitch_contracts::Payload;
use backstitch_contracts::inventory::{self, InventoryReleased, InventoryReserved, Item, StockReceived};
use backstitch_contracts::orders::{self, OrderConfirmed};
use backstitch_domain::OrderId;
use backstitch_projection::{Event, Projection, Sums, Table, Tables, Unfit};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

/// Stock levels.
#[derive(Debug, Clone, Copy, Default)]
pub struct StockModel;

const TABLES: Tables = Tables {
    ddl: "-- What each order holds of the stock.
        CREATE TABLE reservations (
            order_id  uuid PRIMARY KEY,
            items     jsonb NOT NULL DEFAULT '[]',
            released  boolean NOT NULL DEFAULT false,
            confirmed boolean NOT NULL DEFAULT false
        ) WITH (fillfactor = 60);
        ALTER TABLE reservations ALTER COLUMN items SET STATISTICS 0;
        -- Each delivery counts once.
        CREATE TABLE receipts (
            receipt_id text PRIMARY KEY,
            product_id text,
            quantity   bigint NOT NULL DEFAULT 0
        );
        CREATE TABLE stock (
            product_id text PRIMARY KEY,
            received   bigint NOT NULL,
            reserved   bigint NOT NULL,
            sold       bigint NOT NULL
        ) WITH (fillfactor = 80)",
    shown: &["stock"],
    compared: &["stock", "reservations", "receipts"],
};
const RESERVATIONS: Table = Table::new("reservations", "order_id", "uuid");
const RECEIPTS: Table = Table::new("receipts", "receipt_id", "text");
pub(super) const STOCK_COLUMNS: [&str; 3] = ["received", "reserved", "sold"];

/// What an event says about the stock.
#[derive(Debug, Clone)]
pub enum Fact {
    /// Goods came in.
    Received(StockReceived),
    /// An order's items are set aside.
    Reserved(InventoryReserved),
    /// They are available again, or will never be set aside.
    Released(InventoryReleased),
    /// The order is binding.
    Confirmed(OrderId),
}

/// What an order holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReservationRow {
    order_id: Uuid,
    items: Vec<Item>,
    released: bool,
    confirmed: bool,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReceiptRow {
    receipt_id: String,
    product_id: Option<String>,
    quantity: i64,
}

/// Which product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct StockKey {
    pub(super) product_id: String,
}

impl ReservationRow {
    #[cfg(test)]
    pub(super) fn blank(order_id: Uuid) -> Self {
        Self { order_id, items: Vec::new(), released: false, confirmed: false }
    }

    pub(super) fn fold(&mut self, fact: &Fact) {
        match fact {
            Fact::Reserved(reserved) => self.items.clone_from(&reserved.items),
            // For good: a reservation that comes later was refused by whoever released.
            Fact::Released(_) => self.released = true,
            Fact::Confirmed(_) => self.confirmed = true,
            Fact::Received(_) => {}
        }
    }

    /// What it counts for: received, reserved, sold.
    pub(super) fn counts(&self) -> impl Iterator<Item = (StockKey, [i64; 3])> {
        let items = if self.released { &[] } else { &self.items[..] };
        items.iter().map(|item| {
            let units = i64::from(item.quantity.units());
            let key = StockKey { product_id: item.product_id.to_string() };
            (key, if self.confirmed { [0, 0, units] } else { [0, units, 0] })
        })
    }
}

impl ReceiptRow {
    fn fold(&mut self, received: &StockReceived) {
        self.product_id = Some(received.product_id.to_string());
        self.quantity = i64::from(received.quantity.units());
    }

    fn counts(&self) -> Option<(StockKey, [i64; 3])> {
        Some((StockKey { product_id: self.product_id.clone()? }, [self.quantity, 0, 0]))
    }
}

impl Fact {
    const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Received(_) => None,
            Self::Reserved(event) => Some(event.order_id),
            Self::Released(event) => Some(event.order_id),
            Self::Confirmed(order_id) => Some(*order_id),
        }
    }

    fn received(&self) -> Option<&StockReceived> {
        match self {
            Self::Received(event) => Some(event),
            Self::Reserved(_) | Self::Released(_) | Self::Confirmed(_) => None,
        }
    }
}

#[async_trait]
impl Projection for StockModel {
    type Fact = Fact;

    fn name(&self) -> &'static str {
        "stock"
    }

    fn shape(&self) -> i32 {
        1
    }

    fn topics(&self) -> &'static [&'static str] {
        &[inventory::EVENTS, orders::EVENTS]
    }

    fn tables(&self) -> Tables {
        TABLES
    }

    fn read(&self, event: &Event) -> Result<Option<Fact>, Unfit> {
        Ok(match event.envelope.event_type.as_str() {
            StockReceived::EVENT_TYPE => Some(Fact::Received(event.typed()?)),
            InventoryReserved::EVENT_TYPE => Some(Fact::Reserved(event.typed()?)),
            InventoryReleased::EVENT_TYPE => Some(Fact::Released(event.typed()?)),
            OrderConfirmed::EVENT_TYPE => Some(Fact::Confirmed(event.typed::<OrderConfirmed>()?.order_id)),
            _ => None,
        })
    }

    async fn apply(&self, facts: Vec<Fact>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut stock = Sums::new("stock", STOCK_COLUMNS);
        let orders: BTreeSet<OrderId> = facts.iter().filter_map(Fact::order_id).collect();
        let mut rows: BTreeMap<OrderId, ReservationRow> = RESERVATIONS.lock(&orders, db).await?;
        stock.take(rows.values().flat_map(ReservationRow::counts));
        for fact in &facts {
            if let Some(row) = fact.order_id().and_then(|order| rows.get_mut(&order)) {
                row.fold(fact);
            }
        }
        stock.add(rows.values().flat_map(ReservationRow::counts));
        RESERVATIONS.save(&rows.into_values().collect::<Vec<_>>(), db).await?;

        let received: Vec<&StockReceived> = facts.iter().filter_map(Fact::received).collect();
        let ids: BTreeSet<String> = received.iter().map(|event| event.receipt_id.clone()).collect();
        let mut receipts: BTreeMap<String, ReceiptRow> = RECEIPTS.lock(&ids, db).await?;
        stock.take(receipts.values().filter_map(ReceiptRow::counts));
        for event in received {
            if let Some(row) = receipts.get_mut(&event.receipt_id) {
                row.fold(event);
            }
        }
        stock.add(receipts.values().filter_map(ReceiptRow::counts));
        RECEIPTS.save(&receipts.into_values().collect::<Vec<_>>(), db).await?;
        stock.save(db).await
    }
}
