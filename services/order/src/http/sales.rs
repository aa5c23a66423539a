//! Sales per product and day, from the read model.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use backstitch_service_kit::http::{Problem, ProblemBody, Query, Viewer};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::paging::{check_range, limit, sales_cursor, sales_place, unanswered};
use crate::read::{SalesFilter, SalesRow};

/// Which sales.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SalesQuery {
    /// Only of this product.
    product: Option<String>,
    /// Only on this day or later (`2026-11-25`).
    from: Option<NaiveDate>,
    /// Only before this day.
    before: Option<NaiveDate>,
    /// How many at most, from 1 to 500; 50 if not said.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page of sales, the first day first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SalesPage {
    /// By day, product and currency.
    sales: Vec<SalesView>,
    /// Hand it back as `after` for the next page; absent on the last.
    next: Option<String>,
}

/// Sales of a product on a day, in one currency: of orders that were confirmed that day (by UTC) and not cancelled.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SalesView {
    /// The day.
    day: NaiveDate,
    /// The product.
    product_id: String,
    /// ISO 4217.
    currency: String,
    /// Orders with this product.
    orders: i64,
    /// Units sold.
    units: i64,
    /// What they cost, minor units.
    amount: i64,
}

/// Sales per product and day
#[utoipa::path(get, path = "/sales", params(SalesQuery), responses(
    (status = 200, body = SalesPage, description = "As the read model has them, a moment behind"),
    (status = 400, body = ProblemBody, description = "A filter makes no sense"),
))]
pub(super) async fn sales(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Query(asked): Query<SalesQuery>,
) -> Result<Json<SalesPage>, Problem> {
    check_range(["from", "before"], asked.from, asked.before)?;
    let limit = limit(asked.limit)?;
    let filter = SalesFilter {
        product_id: asked.product,
        from: asked.from,
        before: asked.before,
        after: asked.after.as_deref().map(sales_place).transpose()?,
        limit: limit + 1,
    };
    let mut rows = api.read.sales(&filter).await.map_err(unanswered)?;
    let most = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|row| sales_cursor(row.day, &row.product_id, &row.currency));
    Ok(Json(SalesPage { sales: rows.into_iter().map(SalesView::from).collect(), next }))
}

impl From<SalesRow> for SalesView {
    fn from(row: SalesRow) -> Self {
        let SalesRow { product_id, day, currency, orders, units, amount } = row;
        Self { day, product_id, currency, orders, units, amount }
    }
}
