//! Each request as a span that goes on the caller's trace, and as metrics by route. Separate from the limits, so that
//! refused requests are seen too.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::propagation::Extractor;
use tracing::{Instrument, Span, debug, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Wraps a request in its span and counts it.
pub(super) async fn observed(request: Request, next: Next) -> Response {
    // The route and not the path: a path holds ids, and metrics must not.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_owned();
    let span = span(&method, &route, request.headers());
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let seconds = began.elapsed().as_secs_f64();
    span.in_scope(|| debug!(method, route, status, seconds, "answered"));
    let labels = [("method", method), ("route", route), ("status", status.to_string())];
    metrics::histogram!("http_request_duration_seconds", &labels).record(seconds);
    response
}

fn span(method: &str, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: "backstitch::http",
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
    );
    let parent = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(headers)));
    // Fails only where no traces are exported, and then there is nothing to join.
    let _ = span.set_parent(parent);
    span
}

struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
