//! One saga: where it stands and how it came there.

use axum::Json;
use axum::extract::State;
use backstitch_saga::State as SagaState;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Query, Viewer};
use serde_json::Value;
use uuid::Uuid;

use super::query::{self, SagaWithState};
use super::views::{Saga, ShowQuery};
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
    let (steps, data) = inside(state);
    Ok(Json(Saga { summary, steps, data, timeline, next }))
}

/// The saga, or 404.
pub(super) async fn known(api: &Api, id: Uuid) -> Result<SagaWithState, Problem> {
    let found = query::saga(&api.db, id).await.map_err(database)?;
    found.ok_or_else(|| Problem::not_found("saga_unknown", format!("no saga `{id}` is known")))
}

/// The steps under way and what the saga was started with. A state that this version cannot read shows neither: the
/// timeline still says all.
fn inside(state: Value) -> (Vec<String>, Option<Value>) {
    let Ok(state) = serde_json::from_value::<SagaState>(state) else { return (Vec::new(), None) };
    let steps = state.current_steps().into_iter().map(ToString::to_string).collect();
    (steps, state.saga().map(|saga| saga.data.clone()))
}
