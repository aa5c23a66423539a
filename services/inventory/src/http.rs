//! The inventory service's HTTP door: goods to take in, stock to look at. Taking in is a command on its way to the lane,
//! like everybody else's.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use backstitch_contracts::inventory::ReceiveStock;
use backstitch_domain::{ProductId, Quantity};
use backstitch_participant_http::{Letter, Reader, Sender, WaitQuery};
use backstitch_service_kit::http::{Body, Operator, Path, Problem, ProblemBody, Query, Viewer};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::{Receipt, Stock};
use crate::handlers::{Warehouse, receipt_stream, stock_stream};

/// What the handlers need.
pub struct Api {
    streams: Reader<Warehouse>,
    commands: Sender,
}

impl Api {
    /// An API that answers from these streams and sends commands.
    #[must_use]
    pub const fn new(streams: Reader<Warehouse>, commands: Sender) -> Self {
        Self { streams, commands }
    }
}

/// Goods that came in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveRequest {
    /// Names the delivery; one delivery counts once, however often it is reported. One of ours if absent.
    receipt_id: Option<String>,
    /// Which product, of 1 to 64 characters.
    product_id: String,
    /// How many.
    quantity: i64,
}

/// A delivery as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Names the delivery.
    receipt_id: String,
    /// Whether it counts already; if not, its command is on its way.
    is_counted: bool,
}

/// A product's stock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StockView {
    /// Which product.
    product_id: String,
    /// Units that ever came in.
    received: u64,
    /// Units that orders have a claim on.
    claimed: u64,
    /// Units that nobody has a claim on.
    available: u64,
}

#[derive(OpenApi)]
#[openapi(info(title = "Backstitch inventory", description = "Stock: take goods in, and look at what is there."))]
struct Documentation;

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(receive))
        .routes(routes!(stock))
        .with_state(Arc::new(api))
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || Json(documentation.as_ref().clone())))
}

/// Takes goods in
#[utoipa::path(post, path = "/stock", params(WaitQuery), request_body = ReceiveRequest, responses(
    (status = 200, body = ReceiptView, description = "The goods count"),
    (status = 202, body = ReceiptView, description = "The command is on its topic; nothing shows yet"),
    (status = 401, body = ProblemBody),
    (status = 422, body = ProblemBody, description = "No product or no quantity"),
))]
async fn receive(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    Query(wait): Query<WaitQuery>,
    Body(request): Body<ReceiveRequest>,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let command = checked(request)?;
    let receipt_id = command.receipt_id.clone();
    // Derived, so that one delivery is one command.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("ReceiveStock/{receipt_id}").as_bytes());
    let letter = Letter {
        id,
        aggregate_type: "Receipt",
        aggregate_id: receipt_id.clone(),
        correlation_id: id,
        user_id: &caller.name,
        payload: &command,
    };
    api.commands.send(letter).await?;
    let state = api.streams.effect(&receipt_stream(&receipt_id), id, patience).await?;
    let is_counted = state.is_some_and(|own| matches!(own.receipt, Receipt::Counted(_)));
    let status = if is_counted { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = stock_location(&command.product_id);
    Ok((status, [(header::LOCATION, location)], Json(ReceiptView { receipt_id, is_counted })).into_response())
}

fn checked(request: ReceiveRequest) -> Result<ReceiveStock, Problem> {
    let product_id =
        ProductId::new(request.product_id).map_err(|error| Problem::refused("product_invalid", error.to_string()))?;
    let quantity =
        Quantity::new(request.quantity).map_err(|error| Problem::refused("quantity_invalid", error.to_string()))?;
    let receipt_id = request.receipt_id.unwrap_or_else(|| Uuid::now_v7().to_string());
    if receipt_id.trim().is_empty() || receipt_id.len() > RECEIPT_ID_BYTES_MAX {
        let detail = format!("`receipt_id` should have from 1 to {RECEIPT_ID_BYTES_MAX} bytes");
        return Err(Problem::refused("receipt_id_invalid", detail));
    }
    Ok(ReceiveStock { receipt_id, product_id, quantity })
}

const RECEIPT_ID_BYTES_MAX: usize = 100;

/// Products may have any letters; a header may not.
fn stock_location(product: &ProductId) -> HeaderValue {
    let plain = product.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let path = if plain { format!("/stock/{product}") } else { "/stock".to_owned() };
    HeaderValue::from_str(&path).unwrap_or_else(|_| HeaderValue::from_static("/stock"))
}

/// A product's stock
#[utoipa::path(get, path = "/stock/{product_id}", params(("product_id" = String, Path, description = "The product")), responses(
    (status = 200, body = StockView),
    (status = 404, body = ProblemBody, description = "Nothing of it ever came in"),
))]
async fn stock(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(product_id): Path<String>,
) -> Result<Json<StockView>, Problem> {
    let unknown =
        || Problem::not_found("product_unknown", format!("nothing of the product `{product_id}` ever came in"));
    let product = ProductId::new(product_id.clone()).map_err(|_| unknown())?;
    let stock: Stock = api.streams.shared(&stock_stream(&product)).await?.ok_or_else(unknown)?;
    let (received, claimed, available) = (stock.received(), stock.claimed(), stock.available());
    Ok(Json(StockView { product_id, received, claimed, available }))
}
