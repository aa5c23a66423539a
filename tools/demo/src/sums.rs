//! Do the books balance? Stock, money and parcels of this run against its completed orders, from the services' own
//! databases and from the gateway and carrier.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// The services' databases.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Databases {
    #[arg(long, env = "ORDER_DATABASE_URL", hide_env_values = true)]
    order_database_url: String,
    #[arg(long, env = "INVENTORY_DATABASE_URL", hide_env_values = true)]
    inventory_database_url: String,
    #[arg(long, env = "PAYMENT_DATABASE_URL", hide_env_values = true)]
    payment_database_url: String,
    #[arg(long, env = "SHIPPING_DATABASE_URL", hide_env_values = true)]
    shipping_database_url: String,
}

/// One sum: what it must be and what it is.
pub(crate) struct Sum {
    pub(crate) name: &'static str,
    pub(crate) expected: i64,
    pub(crate) found: i64,
}

impl Sum {
    pub(crate) fn balances(&self) -> bool {
        self.expected == self.found
    }

    pub(crate) fn json(&self) -> Value {
        json!({"name": self.name, "expected": self.expected, "found": self.found})
    }
}

/// What the completed orders of a run come to.
pub(crate) struct Expected<'a> {
    pub(crate) orders: &'a [Uuid],
    pub(crate) product: &'a str,
    pub(crate) completed: i64,
    pub(crate) revenue: i64,
    /// The simulators' totals before and after.
    pub(crate) before: &'a Value,
    pub(crate) after: &'a Value,
}

/// Every sum there is.
pub(crate) async fn sums(databases: &Databases, expected: &Expected<'_>) -> Result<Vec<Sum>> {
    let (completed, revenue) = (expected.completed, expected.revenue);
    let sum = |name, expected, found| Sum { name, expected, found };
    let order = connect(&databases.order_database_url).await?;
    let inventory = connect(&databases.inventory_database_url).await?;
    let payment = connect(&databases.payment_database_url).await?;
    let shipping = connect(&databases.shipping_database_url).await?;
    let events = |pool: PgPool, prefix: &'static str, kind: &'static str| count(pool, prefix, kind, expected.orders);
    let confirmed = events(order.clone(), "order-", "OrderConfirmed").await?;
    let cancelled_later = both(&order, "order-", ["OrderConfirmed", "OrderCancelled"], expected.orders).await?;
    let shipped = events(shipping.clone(), "shipment-", "OrderShipped").await?;
    // What was never shipped may be cancelled, too, and says so.
    let unshipped = both(&shipping, "shipment-", ["OrderShipped", "ShipmentCancelled"], expected.orders).await?;
    let after = |path| number(expected.after, path) - number(expected.before, path);
    Ok(vec![
        sum("orders confirmed and not cancelled", completed, confirmed - cancelled_later),
        sum("units taken from stock", completed, taken(&inventory, expected.product).await?),
        sum("money taken, less refunds, in the payment service", revenue, money(&payment, expected.orders).await?),
        sum(
            "money taken, less refunds, at the gateway",
            revenue,
            after("/charged/amounts/EUR") - after("/refunded/amounts/EUR"),
        ),
        sum("shipments under way in the shipping service", completed, shipped - unshipped),
        sum("parcels at the carrier", completed, after("/shipped") - after("/cancelled")),
    ])
}

async fn connect(url: &str) -> Result<PgPool> {
    PgPoolOptions::new().max_connections(2).connect(url).await.context("could not open a service's database")
}

fn streams(prefix: &str, orders: &[Uuid]) -> Vec<String> {
    orders.iter().map(|order| format!("{prefix}{order}")).collect()
}

async fn count(pool: PgPool, prefix: &str, kind: &str, orders: &[Uuid]) -> Result<i64> {
    let query = "SELECT count(*) FROM store.events WHERE event_type = $1 AND stream_id = ANY($2)";
    Ok(sqlx::query_scalar(query).bind(kind).bind(streams(prefix, orders)).fetch_one(&pool).await?)
}

/// Streams in which both happened.
async fn both(pool: &PgPool, prefix: &str, kinds: [&str; 2], orders: &[Uuid]) -> Result<i64> {
    let query = "SELECT count(*) FROM store.events one JOIN store.events other USING (stream_id)
                 WHERE one.event_type = $1 AND other.event_type = $2 AND one.stream_id = ANY($3)";
    let [one, other] = kinds;
    Ok(sqlx::query_scalar(query).bind(one).bind(other).bind(streams(prefix, orders)).fetch_one(pool).await?)
}

async fn taken(pool: &PgPool, product: &str) -> Result<i64> {
    let query = "SELECT coalesce(sum(CASE event_type WHEN 'StockReserved' THEN (data->>'quantity')::bigint
                                                     WHEN 'StockReturned' THEN -(data->>'quantity')::bigint
                                                     ELSE 0 END), 0)::bigint
                 FROM store.events WHERE stream_id = $1";
    Ok(sqlx::query_scalar(query).bind(format!("stock-{product}")).fetch_one(pool).await?)
}

async fn money(pool: &PgPool, orders: &[Uuid]) -> Result<i64> {
    let query = "SELECT coalesce(sum(CASE event_type WHEN 'PaymentProcessed' THEN (data->>'amount')::bigint
                                                     WHEN 'PaymentRefunded' THEN -(data->>'amount')::bigint
                                                     ELSE 0 END), 0)::bigint
                 FROM store.events WHERE stream_id = ANY($1)";
    Ok(sqlx::query_scalar(query).bind(streams("payment-", orders)).fetch_one(pool).await?)
}

fn number(totals: &Value, path: &str) -> i64 {
    totals.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}
