//! Bounds on what callers can make us hold: how many requests, and for how long. Ours and not a stock layer, whose
//! answers would not be problems.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::Problem;

/// The bounds of one listener.
#[derive(Clone)]
pub(super) struct Limits {
    pub(super) permits: Arc<Semaphore>,
    pub(super) timeout: Duration,
}

/// Answers 503 when too many requests run, and 504 when one takes too long.
pub(super) async fn bounded(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_permit) = limits.permits.try_acquire() else {
        return Problem::unavailable("overloaded", "too many requests run at once; ask again").into_response();
    };
    match tokio::time::timeout(limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", limits.timeout.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail).into_response()
        }
    }
}
