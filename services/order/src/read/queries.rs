//! Questions to the read models. A trait, so that the HTTP door is tested without a database; and apart from the models,
//! which are written to by nobody but their projections.
//!
//! Every question names the views in `read`, whose tables change under it when a rebuilt version is swapped in.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::customers::CustomerTotal;
use super::orders::OrderRow;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("the read database does not answer")]
pub struct QueryError(#[from] sqlx::Error);

/// A place in a list of orders, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the last order before it was placed.
    pub placed_at: DateTime<Utc>,
    /// That order.
    pub order_id: Uuid,
}

/// Which orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Of this customer.
    pub customer_id: Option<Uuid>,
    /// In this state.
    pub status: Option<&'static str>,
    /// Placed then or later.
    pub placed_from: Option<DateTime<Utc>>,
    /// Placed before then.
    pub placed_before: Option<DateTime<Utc>>,
    /// After this place in the list.
    pub after: Option<Place>,
    /// So many at most.
    pub limit: i64,
}

/// A product's stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRow {
    /// The product.
    pub product_id: String,
    /// Units that ever came in.
    pub received: i64,
    /// Units set aside for orders that are not confirmed yet.
    pub reserved: i64,
    /// Units of confirmed orders.
    pub sold: i64,
}

impl StockRow {
    /// Units that anybody can have.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.received - self.reserved - self.sold
    }
}

/// Which sales.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SalesFilter {
    /// Of this product.
    pub product_id: Option<String>,
    /// On that day or later.
    pub from: Option<NaiveDate>,
    /// Before that day.
    pub before: Option<NaiveDate>,
    /// After this row of the list.
    pub after: Option<(NaiveDate, String, String)>,
    /// So many at most.
    pub limit: i64,
}

/// Sales of a product on a day, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalesRow {
    /// The product.
    pub product_id: String,
    /// The day, by UTC.
    pub day: NaiveDate,
    /// ISO 4217.
    pub currency: String,
    /// Orders with this product.
    pub orders: i64,
    /// Units sold.
    pub units: i64,
    /// What they cost, minor units.
    pub amount: i64,
}

/// The questions.
#[async_trait]
pub trait Queries: Send + Sync + 'static {
    /// One order.
    async fn order(&self, order_id: Uuid) -> Result<Option<OrderRow>, QueryError>;
    /// Placed orders, newest first.
    async fn orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, QueryError>;
    /// What a customer's orders come to, by currency.
    async fn totals(&self, customer_id: Uuid) -> Result<Vec<CustomerTotal>, QueryError>;
    /// Stock by product, after this one if any.
    async fn stock(&self, after: Option<&str>, limit: i64) -> Result<Vec<StockRow>, QueryError>;
    /// One product's stock.
    async fn stock_of(&self, product_id: &str) -> Result<Option<StockRow>, QueryError>;
    /// Sales, the first day first.
    async fn sales(&self, filter: &SalesFilter) -> Result<Vec<SalesRow>, QueryError>;
}

/// The read database.
#[derive(Debug, Clone)]
pub struct PgQueries {
    pool: PgPool,
}

impl PgQueries {
    /// Over this pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn rows<T: DeserializeOwned + Send + Unpin + 'static>(
        &self,
        mut query: QueryBuilder<Postgres>,
    ) -> Result<Vec<T>, QueryError> {
        let rows: Vec<Json<T>> = query.build_query_scalar().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

#[async_trait]
impl Queries for PgQueries {
    async fn order(&self, order_id: Uuid) -> Result<Option<OrderRow>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(o) FROM read.orders AS o WHERE order_id = ");
        query.push_bind(order_id);
        Ok(self.rows(query).await?.pop())
    }

    // Only the conditions that are asked for: a plan for all of them could use no index.
    async fn orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(o) FROM read.orders AS o WHERE placed_at IS NOT NULL");
        if let Some(customer) = filter.customer_id {
            query.push(" AND customer_id = ").push_bind(customer);
        }
        if let Some(status) = filter.status {
            query.push(" AND status = ").push_bind(status);
        }
        if let Some(from) = filter.placed_from {
            query.push(" AND placed_at >= ").push_bind(from);
        }
        if let Some(before) = filter.placed_before {
            query.push(" AND placed_at < ").push_bind(before);
        }
        if let Some(after) = filter.after {
            query.push(" AND (placed_at, order_id) < (").push_bind(after.placed_at);
            query.push(", ").push_bind(after.order_id).push(")");
        }
        query.push(" ORDER BY placed_at DESC, order_id DESC LIMIT ").push_bind(filter.limit);
        self.rows(query).await
    }

    async fn totals(&self, customer_id: Uuid) -> Result<Vec<CustomerTotal>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(t) FROM read.customer_totals AS t WHERE customer_id = ");
        query.push_bind(customer_id).push(" ORDER BY currency");
        self.rows(query).await
    }

    async fn stock(&self, after: Option<&str>, limit: i64) -> Result<Vec<StockRow>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(s) FROM read.stock AS s");
        if let Some(after) = after {
            query.push(" WHERE product_id > ").push_bind(after.to_owned());
        }
        query.push(" ORDER BY product_id LIMIT ").push_bind(limit);
        self.rows(query).await
    }

    async fn stock_of(&self, product_id: &str) -> Result<Option<StockRow>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(s) FROM read.stock AS s WHERE product_id = ");
        query.push_bind(product_id.to_owned());
        Ok(self.rows(query).await?.pop())
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Vec<SalesRow>, QueryError> {
        let mut query = QueryBuilder::new("SELECT to_jsonb(s) FROM read.sales AS s WHERE true");
        if let Some(product) = &filter.product_id {
            query.push(" AND product_id = ").push_bind(product.clone());
        }
        if let Some(from) = filter.from {
            query.push(" AND day >= ").push_bind(from);
        }
        if let Some(before) = filter.before {
            query.push(" AND day < ").push_bind(before);
        }
        if let Some((day, product, currency)) = &filter.after {
            query.push(" AND (day, product_id, currency) > (").push_bind(*day);
            query.push(", ").push_bind(product.clone()).push(", ").push_bind(currency.clone()).push(")");
        }
        query.push(" ORDER BY day, product_id, currency LIMIT ").push_bind(filter.limit);
        self.rows(query).await
    }
}
