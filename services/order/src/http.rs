//! The order service's HTTP door: orders to place and to look at, customers to make known. Whatever changes something is
//! a message on its way to a topic, like everybody else's.

mod customers;
mod list;
mod paging;
mod place;
mod projections;
mod sales;
mod show;
mod stock;
mod views;

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use backstitch_contracts::orders::Flow;
use backstitch_participant_http::{Reader, Sender};
use backstitch_projection::admin::Admin;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handlers::Orders;
use crate::read::Queries;

/// What the handlers need.
pub struct Api {
    orders: Reader<Orders>,
    messages: Sender,
    read: Arc<dyn Queries>,
    flow: Flow,
}

impl Api {
    /// An API that sends messages, looks at these streams for what they lead to, and answers questions from read models.
    #[must_use]
    pub const fn new(orders: Reader<Orders>, messages: Sender, read: Arc<dyn Queries>) -> Self {
        Self { orders, messages, read, flow: Flow::Orchestrated }
    }

    /// Whoever does not say who drives their order leaves it to `flow`.
    #[must_use]
    pub const fn placing(mut self, flow: Flow) -> Self {
        self.flow = flow;
        self
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Backstitch order",
    description = "Orders: place them, and look at them. Customers: make them known. Read models: rebuild them."
))]
struct Documentation;

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api, projections: Admin) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(place::place, list::orders))
        .routes(routes!(show::order))
        .routes(routes!(customers::register))
        .routes(routes!(list::orders_of_customer))
        .routes(routes!(stock::stock))
        .routes(routes!(stock::stock_of))
        .routes(routes!(sales::sales))
        .with_state(Arc::new(api))
        .merge(projections::routes(projections))
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || Json(documentation.as_ref().clone())))
}
