//! Starting a saga by name.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use backstitch_contracts::saga::StartSaga;
use backstitch_service_kit::http::{Body, Operator, Problem, ProblemBody, Query};
use uuid::Uuid;

use super::act::{About, send};
use super::outcome::{patience, seen};
use super::views::{Outcome, StartRequest, WaitQuery};
use super::{Api, bounds, database, query};

/// Starts a saga; starting twice is starting once
#[utoipa::path(post, path = "/sagas", tag = "commands", security(("token" = [])), params(WaitQuery), request_body = StartRequest, responses(
    (status = 200, body = Outcome, description = "It has started, now or before"),
    (status = 202, body = Outcome, description = "The command is on its topic; nothing shows yet"),
    (status = 401, body = ProblemBody),
    (status = 404, body = ProblemBody, description = "No such definition"),
    (status = 409, body = ProblemBody, description = "The start was refused"),
    (status = 422, body = ProblemBody, description = "The data is too large"),
))]
pub(super) async fn start(
    State(api): State<Api>,
    Operator(caller): Operator,
    Query(asked): Query<WaitQuery>,
    Body(request): Body<StartRequest>,
) -> Result<Response, Problem> {
    let patience = patience(&asked)?;
    let definition = api.startable(&request.definition).ok_or_else(|| unknown(&api, &request.definition))?;
    bounds::key(&request.key)?;
    let data = bounds::data(&serde_json::Value::Object(request.data))?;
    let saga = definition.saga_id(&request.key).as_uuid();
    if let Some(status) = query::status(&api.db, saga).await.map_err(database)? {
        let outcome = Outcome { saga_id: saga, command_id: None, status: Some(status), entries: Vec::new() };
        return Ok((StatusCode::OK, Json(outcome)).into_response());
    }
    let payload = StartSaga { definition: request.definition, key: request.key.clone(), data };
    let about = About { saga, key: &request.key, correlation_id: Uuid::now_v7() };
    let command = send(&api, &about, &caller, None, &payload).await?;
    seen(&api, saga, command, patience).await
}

fn unknown(api: &Api, name: &str) -> Problem {
    let mut names: Vec<&str> = api.definitions.iter().map(|definition| definition.name()).collect();
    names.sort_unstable();
    names.dedup();
    let detail = format!("no definition `{name}` is loaded; there are {}", names.join(", "));
    Problem::not_found("definition_unknown", detail)
}
