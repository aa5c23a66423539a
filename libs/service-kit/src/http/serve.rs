//! Listening, and what surrounds a service's routes. Separate from each layer, whose order matters and is told here once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::info;

use super::limits::{Limits, bounded};
use super::observe::observed;
use super::{Guard, Problem, Readiness};
use crate::config::{AuthSettings, HttpSettings};
use crate::metrics::Metrics;
use crate::service::Context;
use crate::tasks::text_of;

/// Where a process listens.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The address, with the port that was taken.
    pub address: SocketAddr,
}

impl<C> Context<C> {
    /// Listens, and serves these routes and the process's own pages as the task `http` until shutdown.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn serve(&self, http: &HttpSettings, auth: &AuthSettings, routes: Router) -> anyhow::Result<Bound> {
        let listener = TcpListener::bind(http.listen)
            .await
            .with_context(|| format!("could not listen on {}; change `http.listen`", http.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let app = app(http, Guard::new(auth), routes).merge(pages(self.readiness.clone(), self.metrics.clone()));
        let shutdown = self.shutdown.clone();
        self.tasks.spawn("http", async move {
            axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await.context("http failed")
        });
        info!(%address, "listening");
        Ok(Bound { address })
    }
}

/// A service's routes in all that surrounds them. From the outside in: the span, the panic catcher, the limits, the
/// guard.
pub fn app(http: &HttpSettings, guard: Guard, routes: Router) -> Router {
    let limits = Limits {
        permits: Arc::new(Semaphore::new(http.concurrency_max)),
        timeout: Duration::from_secs(http.timeout_seconds),
    };
    routes
        .fallback(async || Problem::not_found("no_such_route", "there is no such route; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method")
        })
        .layer(Extension(guard))
        .layer(DefaultBodyLimit::max(http.body_bytes_max))
        .layer(middleware::from_fn_with_state(limits, bounded))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observed))
}

/// The process's own pages, outside the limits: an overloaded process is still alive.
pub(super) fn pages(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(async |State((readiness, _)): State<(Readiness, Metrics)>| readiness.answer().await))
        .route("/metrics", get(scraped))
        .with_state((readiness, metrics))
}

async fn scraped(State((_, metrics)): State<(Readiness, Metrics)>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::internal(&anyhow::anyhow!("a handler panicked: {}", text_of(&*panic))).into_response()
}
