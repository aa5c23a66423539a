//! The shipping service's HTTP door: shipments to look at. Nothing is sent from here; commands come by Kafka.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use backstitch_contracts::shipping::OrderShipped;
use backstitch_domain::OrderId;
use backstitch_participant_http::Reader;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Viewer};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::Shipment;
use crate::handlers::{Shipments, stream};

/// What the handlers need.
pub struct Api {
    shipments: Reader<Shipments>,
}

impl Api {
    /// An API that answers from these streams.
    #[must_use]
    pub const fn new(shipments: Reader<Shipments>) -> Self {
        Self { shipments }
    }
}

/// A shipment as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShipmentView {
    /// The order that is shipped.
    pub order_id: Uuid,
    /// `none`, `requested`, `shipped`, `delivered` or `cancelled`.
    pub status: &'static str,
    /// As the carrier names it.
    pub tracking_number: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// When it was sent.
    pub shipped_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Why it is off.
    pub reason: Option<String>,
}

impl ShipmentView {
    fn of(order_id: Uuid, shipment: &Shipment) -> Self {
        let (shipped, delivered_at, reason): (Option<&OrderShipped>, _, _) = match shipment {
            Shipment::None | Shipment::Requested(_) => (None, None, None),
            Shipment::Shipped { shipped, .. } => (Some(shipped), None, None),
            Shipment::Delivered { shipped, delivered_at } => (Some(shipped), Some(*delivered_at), None),
            Shipment::Cancelled(cancelled) => (None, None, Some(cancelled.reason.clone())),
        };
        Self {
            order_id,
            status: shipment.status(),
            tracking_number: shipped.map(|shipped| shipped.tracking_number.clone()),
            carrier: shipped.map(|shipped| shipped.carrier.clone()),
            shipped_at: shipped.map(|shipped| shipped.shipped_at),
            delivered_at,
            reason,
        }
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Backstitch shipping", description = "Shipments of orders: look at them."))]
struct Documentation;

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(shipment))
        .with_state(Arc::new(api))
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || Json(documentation.as_ref().clone())))
}

/// The shipment of an order
#[utoipa::path(get, path = "/shipments/{order_id}", params(("order_id" = Uuid, Path, description = "The order")), responses(
    (status = 200, body = ShipmentView),
    (status = 404, body = ProblemBody, description = "Nobody ever asked for this order's shipment"),
))]
async fn shipment(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(order_id): Path<Uuid>,
) -> Result<Json<ShipmentView>, Problem> {
    let state = api.shipments.state(&stream(OrderId::new(order_id))).await?;
    let shipment = state.ok_or_else(|| {
        Problem::not_found("shipment_unknown", format!("nobody ever asked for a shipment of order `{order_id}`"))
    })?;
    Ok(Json(ShipmentView::of(order_id, &shipment.shipment)))
}
