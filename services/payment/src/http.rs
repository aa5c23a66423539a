//! The payment service's HTTP door: payments to look at. Nothing is charged from here; commands come by Kafka.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use backstitch_contracts::payments::{PaymentProcessed, PaymentRefunded};
use backstitch_domain::OrderId;
use backstitch_participant_http::Reader;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Viewer};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::Payment;
use crate::handlers::{Payments, stream};

/// What the handlers need.
pub struct Api {
    payments: Reader<Payments>,
}

impl Api {
    /// An API that answers from these streams.
    #[must_use]
    pub const fn new(payments: Reader<Payments>) -> Self {
        Self { payments }
    }
}

/// A payment as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaymentView {
    /// The order it is for.
    pub order_id: Uuid,
    /// `none`, `charging`, `charged` or `refunded`.
    pub status: &'static str,
    /// The payment's id, once charged.
    pub payment_id: Option<Uuid>,
    /// What was charged, minor units.
    pub amount: i64,
    /// What was given back, minor units.
    pub refunded_amount: i64,
    /// ISO 4217.
    pub currency: Option<String>,
    /// As the gateway names it.
    pub payment_method: Option<String>,
}

impl PaymentView {
    fn of(order_id: Uuid, payment: &Payment) -> Self {
        let (mut view, status) = (Self::blank(order_id), payment.status());
        view.status = status;
        match payment {
            Payment::None => {}
            Payment::Charging(charge) => view.currency = Some(charge.money.currency.to_string()),
            Payment::Charged { processed, .. } => view.charged(processed),
            Payment::Refunded(refunded) => view.refunded(refunded),
        }
        view
    }

    const fn blank(order_id: Uuid) -> Self {
        Self {
            order_id,
            status: "none",
            payment_id: None,
            amount: 0,
            refunded_amount: 0,
            currency: None,
            payment_method: None,
        }
    }

    fn charged(&mut self, processed: &PaymentProcessed) {
        self.payment_id = Some(processed.payment_id.uuid());
        self.amount = processed.amount;
        self.currency = Some(processed.currency.to_string());
        self.payment_method = Some(processed.payment_method.clone());
    }

    /// A refund gives back all that was charged.
    fn refunded(&mut self, refunded: &PaymentRefunded) {
        self.payment_id = refunded.payment_id.map(|id| id.uuid());
        self.amount = refunded.amount;
        self.refunded_amount = refunded.amount;
        self.currency = Some(refunded.currency.to_string());
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Backstitch payment", description = "Payments of orders: look at them."))]
struct Documentation;

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(payment))
        .with_state(Arc::new(api))
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || Json(documentation.as_ref().clone())))
}

/// The payment of an order
#[utoipa::path(get, path = "/payments/{order_id}", params(("order_id" = Uuid, Path, description = "The order")), responses(
    (status = 200, body = PaymentView),
    (status = 404, body = ProblemBody, description = "Nobody ever asked for this order's payment"),
))]
async fn payment(
    State(api): State<Arc<Api>>,
    _viewer: Viewer,
    Path(order_id): Path<Uuid>,
) -> Result<Json<PaymentView>, Problem> {
    let state = api.payments.state(&stream(OrderId::new(order_id))).await?;
    let payment = state.ok_or_else(|| {
        Problem::not_found("payment_unknown", format!("nobody ever asked for a payment of order `{order_id}`"))
    })?;
    Ok(Json(PaymentView::of(order_id, &payment.payment)))
}
