//! Whether the process lives and whether it is ready. Separate from the tasks, which only report to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::tasks::ShutdownToken;

/// A check that takes longer counts as failed: the one who asks does not wait longer either.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Outcome = Result<(), String>;
type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// What has to hold before the process is ready, by name. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    checks: Arc<RwLock<Vec<(String, Check)>>>,
    shutdown: ShutdownToken,
}

impl Readiness {
    /// Nothing to check but that the process is not draining.
    #[must_use]
    pub fn new(shutdown: ShutdownToken) -> Self {
        Self { checks: Arc::default(), shutdown }
    }

    /// Adds a check; its error is what is wrong, for people.
    pub fn check<F>(&self, name: impl Into<String>, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.checks.write().unwrap_or_else(PoisonError::into_inner).push((name.into(), check));
    }

    /// A check that is a switch, off at first: for what reports its state itself.
    #[must_use]
    pub fn switch(&self, name: impl Into<String>, off: &'static str) -> Switch {
        let switch = Switch(Arc::default());
        let shown = switch.clone();
        self.check(name, move || {
            let on = shown.0.load(std::sync::atomic::Ordering::Acquire);
            std::future::ready(if on { Ok(()) } else { Err(off.to_owned()) })
        });
        switch
    }

    /// Readiness that holds while Postgres answers.
    pub fn database(&self, name: impl Into<String>, pool: sqlx::PgPool) {
        self.check(name, move || {
            let pool = pool.clone();
            async move {
                let asked = sqlx::query("SELECT 1").execute(&pool).await;
                asked.map(drop).map_err(|error| format!("the database does not answer: {error}"))
            }
        });
    }

    /// The page: 200 if all checks hold, else 503 naming those that fail.
    pub(crate) async fn answer(&self) -> Response {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let running = checks.into_iter().map(|(name, check)| {
            // Side by side, so that two slow checks do not take the time of two.
            let task = tokio::spawn(async move { tokio::time::timeout(CHECK_TIMEOUT, check()).await });
            async move {
                let outcome = match task.await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
                    Err(_) => Err("the check panicked".to_owned()),
                };
                (name, outcome)
            }
        });
        let mut outcomes: Vec<(String, Outcome)> = Vec::new();
        for check in running.collect::<Vec<_>>() {
            outcomes.push(check.await);
        }
        if self.shutdown.is_cancelled() {
            outcomes.push(("shutdown".to_owned(), Err("the process is draining".to_owned())));
        }
        page(outcomes)
    }
}

fn page(outcomes: Vec<(String, Outcome)>) -> Response {
    let failing: Vec<&String> = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).map(|(name, _)| name).collect();
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks: Map<String, Value> = outcomes
        .iter()
        .map(|(name, outcome)| {
            let shown = match outcome {
                Ok(()) => "ok",
                Err(what) => what.as_str(),
            };
            (name.clone(), Value::from(shown))
        })
        .collect();
    (status, Json(json!({ "ready": failing.is_empty(), "failing": failing, "checks": checks }))).into_response()
}

/// A check that is turned on and off.
#[derive(Clone)]
pub struct Switch(Arc<std::sync::atomic::AtomicBool>);

impl Switch {
    /// Turns it.
    pub fn set(&self, on: bool) {
        self.0.store(on, std::sync::atomic::Ordering::Release);
    }
}
