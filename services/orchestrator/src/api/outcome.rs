//! Waiting for what a command leads to. Separate from sending it: the lane decides, and the journal is where it shows.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use backstitch_service_kit::http::Problem;
use tokio::time::Instant;
use uuid::Uuid;

use super::views::{Entry, Outcome, WaitQuery};
use super::{Api, database, query};

const WAIT_SECONDS: f64 = 5.0;
const WAIT_SECONDS_MAX: f64 = 20.0;
/// How soon to look again; doubled up to the longest.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOK_AGAIN_LONGEST: Duration = Duration::from_millis(200);

/// How long the caller wants to wait.
pub(super) fn patience(asked: &WaitQuery) -> Result<Duration, Problem> {
    let seconds = asked.wait.unwrap_or(WAIT_SECONDS);
    if (0.0..=WAIT_SECONDS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Problem::bad_request("wait_out_of_range", format!("`wait` should be from 0 to {WAIT_SECONDS_MAX} seconds")))
}

/// 200 with what the command led to, 409 if that was a refusal, or 202 if nothing shows in time.
pub(super) async fn seen(api: &Api, saga: Uuid, command: Uuid, patience: Duration) -> Result<Response, Problem> {
    let entries = wait(api, command, patience).await?;
    let status = query::status(&api.db, saga).await.map_err(database)?;
    if let Some(refusal) = entries.iter().find(|entry| is_refusal(entry)) {
        let reason = refusal.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or("the saga refuses it");
        return Err(Problem::conflict("command_refused", reason).with("status", status));
    }
    let code = if entries.is_empty() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((code, Json(Outcome { saga_id: saga, command_id: Some(command), status, entries })).into_response())
}

fn is_refusal(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "CancelRefused" | "StartRefused" | "MoveRefused")
}

async fn wait(api: &Api, command: Uuid, patience: Duration) -> Result<Vec<Entry>, Problem> {
    let deadline = Instant::now() + patience;
    let mut pause = LOOK_AGAIN;
    while Instant::now() < deadline {
        let entries = query::caused_by(&api.db, command).await.map_err(database)?;
        if !entries.is_empty() {
            return Ok(entries);
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
        pause = (pause * 2).min(LOOK_AGAIN_LONGEST);
    }
    Ok(Vec::new())
}
