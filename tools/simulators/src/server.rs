//! What both servers stand on: the shared ledger, and the ways of giving (or not giving) an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::ledger::{Ledger, LedgerError};
use crate::line::Line;
use crate::script::Manner;

/// How the simulators behave, apart from what a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// How late a slow answer comes.
    pub slow: Duration,
    /// How long after it was taken a parcel is delivered; `None` is never.
    pub delivery: Option<Duration>,
}

/// Shared by all requests.
#[derive(Debug, Clone)]
pub struct Simulators {
    ledger: Arc<Mutex<Ledger>>,
    pub(crate) behaviour: Behaviour,
}

impl Simulators {
    /// Over a ledger.
    #[must_use]
    pub fn new(ledger: Ledger, behaviour: Behaviour) -> Self {
        Self { ledger: Arc::new(Mutex::new(ledger)), behaviour }
    }

    /// The ledger, for as long as the guard lives.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A ledger is whole between any two of its calls, so one panicking request does not spoil it.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an answer in its manner.
    pub(crate) async fn give(&self, manner: Manner, line: &Line, answer: Response) -> Response {
        match manner {
            Manner::AtOnce => {}
            Manner::Late => tokio::time::sleep(self.behaviour.slow).await,
            Manner::Dropped => line.cut(),
            Manner::Failed => return problem(StatusCode::INTERNAL_SERVER_ERROR, "scripted failure"),
            Manner::Held => {
                let _held = Held::new(self.clone());
                std::future::pending::<()>().await;
            }
        }
        answer
    }
}

/// Counts a held connection until its request is dropped.
struct Held(Simulators);

impl Held {
    fn new(simulators: Simulators) -> Self {
        simulators.ledger().hold();
        Self(simulators)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.ledger().let_go();
    }
}

/// Why a request has no answer of the simulated kind.
#[derive(Debug, thiserror::Error)]
pub enum Unanswerable {
    /// No `Idempotency-Key` header.
    #[error("the header `idempotency-key` is missing or empty")]
    NoKey,
    /// The key was used for something else.
    #[error("the idempotency key `{key}` was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// Amounts are positive.
    #[error("the amount {amount} is not positive")]
    Amount {
        /// As asked.
        amount: i64,
    },
    /// Nothing is known under the key.
    #[error("nothing is known under the key `{key}`")]
    Unknown {
        /// The key.
        key: String,
    },
    /// The fact could not be kept.
    #[error("could not record what happened")]
    Ledger(#[from] LedgerError),
}

impl IntoResponse for Unanswerable {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoKey => StatusCode::BAD_REQUEST,
            Self::KeyReused { .. } | Self::Amount { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unknown { .. } => StatusCode::NOT_FOUND,
            Self::Ledger(source) => {
                tracing::error!(error = %source, "could not record a fact");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        problem(status, &self.to_string())
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "error": detail }))).into_response()
}

/// The idempotency key of a request.
pub(crate) fn key_of(headers: &axum::http::HeaderMap) -> Result<String, Unanswerable> {
    headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
        .ok_or(Unanswerable::NoKey)
}
