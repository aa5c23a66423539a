//! Looking at an order, as the read model has it. It is a moment behind; a caller who has just written names the version
//! to wait for, and reads what they wrote.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use backstitch_participant_http::WaitQuery;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Query, Viewer};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use uuid::Uuid;

use super::Api;
use super::paging::unanswered;
use super::views::OrderView;
use crate::read::OrderRow;

/// Between two looks at a row that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What to wait for.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// At least this version, as `POST /orders` has answered it.
    version: Option<i64>,
    /// Seconds to wait for it, from 0 to 20; 5 if a version is named and no time.
    wait: Option<f64>,
}

const WAIT_SECONDS: f64 = 5.0;

/// An order
#[utoipa::path(get, path = "/orders/{id}", params(("id" = Uuid, Path, description = "The order"), VersionQuery),
responses(
    (status = 200, body = OrderView),
    (status = 404, body = ProblemBody, description = "Nobody placed it, or its command is still on its way"),
    (status = 503, body = ProblemBody, description = "The version named does not show yet; ask again"),
))]
pub(super) async fn order(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(id): Path<Uuid>,
    Query(asked): Query<VersionQuery>,
) -> Result<Json<OrderView>, Problem> {
    let wait = asked.wait.or_else(|| asked.version.map(|_| WAIT_SECONDS));
    let deadline = Instant::now() + WaitQuery { wait }.patience()?.total();
    let wanted = asked.version.unwrap_or(0);
    loop {
        let row = api.read.order(id).await.map_err(unanswered)?.filter(is_told);
        let known = row.as_ref().map_or(0, |row| row.version);
        match row {
            Some(row) if known >= wanted => return Ok(Json(row.into())),
            None if wanted == 0 => {
                return Err(Problem::not_found("order_unknown", format!("no order `{id}` is placed")));
            }
            Some(_) | None if Instant::now() >= deadline => return Err(not_yet(id, wanted, known)),
            Some(_) | None => tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_AGAIN)).await,
        }
    }
}

/// Whether its own service has spoken of it; the others' word alone is no order.
fn is_told(row: &OrderRow) -> bool {
    row.placed_at.is_some() || row.cancelled_at.is_some()
}

fn not_yet(id: Uuid, wanted: i64, known: i64) -> Problem {
    let detail = format!("order `{id}` shows at version {known}, not at {wanted} yet; ask again");
    Problem::unavailable("version_not_reached", detail).with("version", known)
}
