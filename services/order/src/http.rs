//! The order service's HTTP door: orders to place and to look at, customers to make known. Whatever changes something is
//! a message on its way to a topic, like everybody else's.

mod customers;
mod place;
mod show;
mod views;

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use backstitch_participant_http::{Reader, Sender};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handlers::Orders;

/// What the handlers need.
pub struct Api {
    orders: Reader<Orders>,
    messages: Sender,
}

impl Api {
    /// An API that answers from these streams and sends messages.
    #[must_use]
    pub const fn new(orders: Reader<Orders>, messages: Sender) -> Self {
        Self { orders, messages }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Backstitch order",
    description = "Orders: place them, and look at them. Customers: make them known."
))]
struct Documentation;

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(place::place))
        .routes(routes!(show::order))
        .routes(routes!(customers::register))
        .with_state(Arc::new(api))
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || Json(documentation.as_ref().clone())))
}
