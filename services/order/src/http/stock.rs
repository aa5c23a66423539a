//! Stock levels, from the read model. What decides whether an order can have something is the inventory alone; this is
//! for looking.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Query, Viewer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::paging::{limit, unanswered};
use crate::read::StockRow;

/// Which products.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StockQuery {
    /// How many at most, from 1 to 500; 50 if not said.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page of stock levels, by product.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct StockPage {
    /// The products.
    products: Vec<StockView>,
    /// Hand it back as `after` for the next page; absent on the last.
    next: Option<String>,
}

/// A product's stock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct StockView {
    /// The product.
    product_id: String,
    /// Units that ever came in.
    received: i64,
    /// Units set aside for orders that are not confirmed yet.
    reserved: i64,
    /// Units of confirmed orders.
    sold: i64,
    /// Units that anybody can have.
    available: i64,
}

/// Stock levels
#[utoipa::path(get, path = "/stock", params(StockQuery), responses(
    (status = 200, body = StockPage, description = "As the read model has them, a moment behind"),
    (status = 400, body = ProblemBody, description = "A filter makes no sense"),
))]
pub(super) async fn stock(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Query(asked): Query<StockQuery>,
) -> Result<Json<StockPage>, Problem> {
    let limit = limit(asked.limit)?;
    let mut rows = api.read.stock(asked.after.as_deref(), limit + 1).await.map_err(unanswered)?;
    let most = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|row| row.product_id.clone());
    Ok(Json(StockPage { products: rows.into_iter().map(StockView::from).collect(), next }))
}

/// A product's stock level
#[utoipa::path(get, path = "/stock/{product}", params(("product" = String, Path, description = "The product")),
responses(
    (status = 200, body = StockView),
    (status = 404, body = ProblemBody, description = "None of it ever came in"),
))]
pub(super) async fn stock_of(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(product): Path<String>,
) -> Result<Json<StockView>, Problem> {
    let row = api.read.stock_of(&product).await.map_err(unanswered)?;
    row.map(|row| Json(row.into()))
        .ok_or_else(|| Problem::not_found("product_unknown", "nothing is known of this product's stock"))
}

impl From<StockRow> for StockView {
    fn from(row: StockRow) -> Self {
        let available = row.available();
        let StockRow { product_id, received, reserved, sold } = row;
        Self { product_id, received, reserved, sold, available }
    }
}
