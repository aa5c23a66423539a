//! Letting sagas go on under another definition of their name. Separate from what else people do to sagas, because two
//! definitions are compared here; by the engine, as the lane does again when the command arrives.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use backstitch_contracts::saga::MigrateSaga;
use backstitch_saga::migrate::can_move;
use backstitch_saga::{Definition, State as SagaState};
use backstitch_service_kit::http::{Body, Operator, Path, Problem, ProblemBody, Query, Viewer};
use uuid::Uuid;

use super::act::{About, send};
use super::dry_run::definition;
use super::outcome::{patience, seen};
use super::query::{self, Filter, SagaWithState};
use super::show::known;
use super::views::{MigrateRequest, MigrationCheck, MigrationPage, MigrationQuery, Outcome, WaitQuery};
use super::{Api, bounds, database, list};

/// Lets a saga go on under another definition of its name
#[utoipa::path(post, path = "/sagas/{id}/migrate", tag = "commands", security(("token" = [])),
    params(("id" = Uuid, Path, description = "The saga"), WaitQuery), request_body = MigrateRequest,
    responses(
        (status = 200, body = Outcome, description = "Done; the entries say what it led to"),
        (status = 202, body = Outcome, description = "The command is on its topic; nothing shows yet"),
        (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "No such saga, or no such definition"),
        (status = 409, body = ProblemBody, description = "The saga cannot move; `obstacles` says why"),
    ))]
pub(super) async fn migrate(
    State(api): State<Api>,
    Operator(caller): Operator,
    Path(id): Path<Uuid>,
    Query(asked): Query<WaitQuery>,
    Body(MigrateRequest { to, reason }): Body<MigrateRequest>,
) -> Result<Response, Problem> {
    let (patience, reason) = (patience(&asked)?, bounds::reason(reason)?);
    let saga = known(&api, id).await?;
    let other = runnable(&api, &to).await?;
    if saga.summary.definition_hash == to {
        let status = saga.summary.status.clone();
        return Err(
            Problem::conflict("state_conflict", "the saga is under that definition already").with("status", status)
        );
    }
    let from = definition(&api, &saga.summary.definition_hash).await?;
    let obstacles = obstacles(from.as_ref(), &other, &saga);
    if !obstacles.is_empty() {
        return Err(Problem::conflict("cannot_move", obstacles.join("; ")).with("obstacles", obstacles));
    }
    let about = About { saga: id, key: &saga.summary.key, correlation_id: saga.summary.correlation_id };
    let payload = MigrateSaga { saga_id: Some(id), to_hash: to, reason, ..MigrateSaga::default() };
    let command = send(&api, &about, &caller, None, &payload).await?;
    seen(&api, id, command, patience).await
}

/// Says of each live saga under a definition whether it can go on under another
#[utoipa::path(get, path = "/definitions/{hash}/migration", tag = "definitions",
    params(("hash" = String, Path, description = "The definition that they are under"), MigrationQuery),
    responses(
        (status = 200, body = MigrationPage),
        (status = 404, body = ProblemBody, description = "No such definition"),
    ))]
pub(super) async fn migration(
    State(api): State<Api>,
    _: Viewer,
    Path(hash): Path<String>,
    Query(asked): Query<MigrationQuery>,
) -> Result<Json<MigrationPage>, Problem> {
    let limit = list::limit(asked.limit)?;
    let (from, to) = (runnable(&api, &hash).await?, runnable(&api, &asked.to).await?);
    let filter = Filter {
        definition_hash: Some(hash),
        live_only: true,
        before: asked.cursor.as_deref().map(list::read_cursor).transpose()?,
        // One more than asked, to know whether there are more.
        limit: limit + 1,
        ..Filter::default()
    };
    let mut sagas = query::sagas_with_states(&api.db, &filter).await.map_err(database)?;
    let next = list::cut(&mut sagas, limit, |saga| &saga.summary);
    let checked = sagas.into_iter().map(|saga| {
        let obstacles = obstacles(Some(&from), &to, &saga);
        MigrationCheck { summary: saga.summary, obstacles }
    });
    Ok(Json(MigrationPage { sagas: checked.collect(), next }))
}

async fn runnable(api: &Api, hash: &str) -> Result<Definition, Problem> {
    definition(api, hash).await?.ok_or_else(|| {
        Problem::not_found("definition_unknown", format!("no definition with the hash `{hash}` is known"))
    })
}

/// What stands against it, in words.
fn obstacles(from: Option<&Definition>, to: &Definition, saga: &SagaWithState) -> Vec<String> {
    let Some(from) = from else {
        return vec!["this release cannot run the definition that the saga is under".to_owned()];
    };
    match serde_json::from_value::<SagaState>(saga.state.clone()) {
        Err(_) => vec!["this release cannot read the saga's state".to_owned()],
        Ok(state) => {
            let found = can_move(from, to, &state).err().unwrap_or_default();
            found.iter().map(ToString::to_string).collect()
        }
    }
}
