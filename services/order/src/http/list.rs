//! Lists of orders, from the read model.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Query, Viewer};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::paging::{check_range, cursor_of, limit, place_of, unanswered};
use super::views::OrderView;
use crate::read::{CustomerTotal, OrderFilter, OrderRow, Place};

/// Those that an order can be found by; drafts are nobody's orders yet.
const STATUSES: [&str; 6] = ["pending_inventory", "pending_payment", "confirmed", "shipped", "delivered", "cancelled"];

/// Which orders.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// Only this customer's.
    customer: Option<Uuid>,
    /// Only in this state: `pending_inventory`, `pending_payment`, `confirmed`, `shipped`, `delivered` or `cancelled`.
    status: Option<String>,
    /// Only those placed at or after this time (RFC 3339).
    placed_from: Option<DateTime<Utc>>,
    /// Only those placed before this time (RFC 3339).
    placed_before: Option<DateTime<Utc>>,
    /// How many at most, from 1 to 500; 50 if not said.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Which of a customer's orders.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CustomerOrdersQuery {
    /// Only in this state.
    status: Option<String>,
    /// How many at most, from 1 to 500; 50 if not said.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page of orders, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct OrdersPage {
    /// The orders.
    orders: Vec<OrderView>,
    /// Hand it back as `after` for the next page; absent on the last.
    next: Option<String>,
}

/// A page of a customer's orders, newest first, and what all of them come to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct CustomerOrdersPage {
    /// The customer.
    customer_id: Uuid,
    /// By currency.
    totals: Vec<TotalView>,
    /// The orders.
    orders: Vec<OrderView>,
    /// Hand it back as `after` for the next page; absent on the last.
    next: Option<String>,
}

/// What a customer's orders in one currency come to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TotalView {
    /// ISO 4217.
    currency: String,
    /// Orders placed.
    orders: i64,
    /// Of those, cancelled.
    cancelled: i64,
    /// Sum of those that were not cancelled, minor units.
    amount: i64,
}

/// Orders
#[utoipa::path(get, path = "/orders", params(OrdersQuery), responses(
    (status = 200, body = OrdersPage, description = "As the read model has them, a moment behind"),
    (status = 400, body = ProblemBody, description = "A filter makes no sense"),
))]
pub(super) async fn orders(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Query(asked): Query<OrdersQuery>,
) -> Result<Json<OrdersPage>, Problem> {
    check_range(["placed_from", "placed_before"], asked.placed_from, asked.placed_before)?;
    let filter = OrderFilter {
        customer_id: asked.customer,
        status: asked.status.as_deref().map(status).transpose()?,
        placed_from: asked.placed_from,
        placed_before: asked.placed_before,
        after: asked.after.as_deref().map(place_of).transpose()?,
        limit: limit(asked.limit)?,
    };
    let (orders, next) = page(&api, filter).await?;
    Ok(Json(OrdersPage { orders, next }))
}

/// A customer's orders
#[utoipa::path(get, path = "/customers/{id}/orders", params(("id" = Uuid, Path, description = "The customer"),
    CustomerOrdersQuery), responses(
    (status = 200, body = CustomerOrdersPage, description = "None, where nobody of that id has ordered"),
    (status = 400, body = ProblemBody, description = "A filter makes no sense"),
))]
pub(super) async fn orders_of_customer(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(customer_id): Path<Uuid>,
    Query(asked): Query<CustomerOrdersQuery>,
) -> Result<Json<CustomerOrdersPage>, Problem> {
    let filter = OrderFilter {
        customer_id: Some(customer_id),
        status: asked.status.as_deref().map(status).transpose()?,
        after: asked.after.as_deref().map(place_of).transpose()?,
        limit: limit(asked.limit)?,
        ..OrderFilter::default()
    };
    let totals = api.read.totals(customer_id).await.map_err(unanswered)?;
    let (orders, next) = page(&api, filter).await?;
    let totals = totals.into_iter().map(TotalView::from).collect();
    Ok(Json(CustomerOrdersPage { customer_id, totals, orders, next }))
}

/// One more than the page is asked for: whether there is another page is then known without a count.
async fn page(api: &Api, mut filter: OrderFilter) -> Result<(Vec<OrderView>, Option<String>), Problem> {
    let most = usize::try_from(filter.limit).unwrap_or(0);
    filter.limit += 1;
    let mut rows = api.read.orders(&filter).await.map_err(unanswered)?;
    let more = rows.len() > most;
    rows.truncate(most);
    let last = rows.last().filter(|_| more).and_then(place);
    Ok((rows.into_iter().map(OrderView::from).collect(), last.map(cursor_of)))
}

fn place(row: &OrderRow) -> Option<Place> {
    Some(Place { placed_at: row.placed_at?, order_id: row.order_id })
}

fn status(asked: &str) -> Result<&'static str, Problem> {
    STATUSES.into_iter().find(|status| *status == asked).ok_or_else(|| {
        let detail = format!("`status` should be one of {}", STATUSES.join(", "));
        Problem::bad_request("status_unknown", detail)
    })
}

impl From<CustomerTotal> for TotalView {
    fn from(total: CustomerTotal) -> Self {
        let CustomerTotal { customer_id: _, currency, orders, cancelled, amount } = total;
        Self { currency, orders, cancelled, amount }
    }
}
