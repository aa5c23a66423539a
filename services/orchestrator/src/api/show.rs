//! One saga: where it stands and how it came there.

use axum::Json;
use axum::extract::State;
use backstitch_saga::{State as SagaState, Waiting};
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Query, Viewer};
use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

use super::query::{self, Queued, SagaWithState};
use super::views::{Saga, ShowQuery, Wait};
use super::{Api, database};

const ENTRIES_MAX: i64 = 1000;

/// Shows a saga with its timeline
#[utoipa::path(get, path = "/sagas/{id}", tag = "sagas", params(("id" = Uuid, Path, description = "The saga"), ShowQuery),
    responses(
        (status = 200, body = Saga),
        (status = 404, body = ProblemBody, description = "No such saga"),
    ))]
pub(super) async fn saga(
    State(api): State<Api>,
    _: Viewer,
    Path(id): Path<Uuid>,
    Query(asked): Query<ShowQuery>,
) -> Result<Json<Saga>, Problem> {
    let limit = asked.limit.unwrap_or(ENTRIES_MAX);
    if !(1..=ENTRIES_MAX).contains(&limit) {
        return Err(Problem::bad_request("limit_out_of_range", format!("`limit` should be from 1 to {ENTRIES_MAX}")));
    }
    let SagaWithState { summary, state } = known(&api, id).await?;
    let mut timeline = query::timeline(&api.db, id, asked.after.unwrap_or(0), limit + 1).await.map_err(database)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = timeline.len() > wanted;
    timeline.truncate(wanted);
    let next = if more { timeline.last().map(|entry| entry.seq) } else { None };
    // The first entry is written with the saga's row.
    let journal_dropped = timeline.is_empty() && asked.after.unwrap_or(0) <= 0;
    let (steps, data, queued) = inside(state);
    let mut waits = Vec::new();
    for queued in queued {
        let before = query::before(&api.db, id, &queued).await.map_err(database)?;
        let Queued { step, participant, since, .. } = queued;
        waits.push(Wait { step, participant, since, before });
    }
    Ok(Json(Saga { summary, steps, waits, data, timeline, journal_dropped, next }))
}

/// The saga, or 404.
pub(super) async fn known(api: &Api, id: Uuid) -> Result<SagaWithState, Problem> {
    let found = query::saga(&api.db, id).await.map_err(database)?;
    found.ok_or_else(|| Problem::not_found("saga_unknown", format!("no saga `{id}` is known")))
}

/// The steps under way, what the saga was started with, and what waits for a turn. A state that this version cannot read
/// shows nothing: the timeline still says all.
fn inside(state: Value) -> (Vec<String>, Option<Value>, Vec<Queued>) {
    let Ok(state) = serde_json::from_value::<SagaState>(state) else { return (Vec::new(), None, Vec::new()) };
    let steps = state.current_steps().into_iter().map(ToString::to_string).collect();
    let is_forward = matches!(state, SagaState::Advancing(_));
    let queued = state.open().iter().filter_map(|open| {
        let Waiting::Turn { participant, queued_at, .. } = &open.waiting else { return None };
        let since = DateTime::from_timestamp_micros(queued_at.as_micros())?;
        Some(Queued { step: open.step.to_string(), participant: participant.clone(), since, is_forward })
    });
    (steps, state.saga().map(|saga| Value::clone(&saga.data)), queued.collect())
}
