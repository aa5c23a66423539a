//! Looking at an order, as the event store has it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use backstitch_domain::OrderId;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Viewer};
use uuid::Uuid;

use super::Api;
use super::views::OrderView;
use crate::handlers::stream;

/// An order
#[utoipa::path(get, path = "/orders/{id}", params(("id" = Uuid, Path, description = "The order")), responses(
    (status = 200, body = OrderView),
    (status = 404, body = ProblemBody, description = "Nobody placed it, or its command is still on its way"),
))]
pub(super) async fn order(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Json<OrderView>, Problem> {
    let order = api.orders.state(&stream(OrderId::new(id))).await?.unwrap_or_default();
    let view = OrderView::of(id, &order);
    view.map(Json).ok_or_else(|| Problem::not_found("order_unknown", format!("no order `{id}` is placed")))
}
