//! The definitions that sagas run on, old ones too.

use axum::Json;
use axum::extract::State;
use backstitch_service_kit::http::{Path, Problem, ProblemBody, Viewer};

use super::query::{self, DefinitionRow};
use super::views::{DefinitionBody, DefinitionSummary};
use super::{Api, database};

/// Lists definitions, of each name the newest first
#[utoipa::path(get, path = "/definitions", tag = "definitions", responses((status = 200, body = Vec<DefinitionSummary>)))]
pub(super) async fn definitions(State(api): State<Api>, _: Viewer) -> Result<Json<Vec<DefinitionSummary>>, Problem> {
    let rows = query::definitions(&api.db).await.map_err(database)?;
    Ok(Json(rows.iter().map(|row| summary(&api, row)).collect()))
}

/// Shows a definition
#[utoipa::path(get, path = "/definitions/{hash}", tag = "definitions", params(("hash" = String, Path, description = "Its hash")),
    responses(
        (status = 200, body = DefinitionBody),
        (status = 404, body = ProblemBody, description = "No such definition"),
    ))]
pub(super) async fn definition(
    State(api): State<Api>,
    _: Viewer,
    Path(hash): Path<String>,
) -> Result<Json<DefinitionBody>, Problem> {
    let row = query::definition(&api.db, &hash).await.map_err(database)?;
    let row = row.ok_or_else(|| {
        Problem::not_found("definition_unknown", format!("no definition with the hash `{hash}` is known"))
    })?;
    Ok(Json(DefinitionBody { summary: summary(&api, &row), body: row.body.0 }))
}

fn summary(api: &Api, row: &DefinitionRow) -> DefinitionSummary {
    DefinitionSummary {
        hash: row.hash.clone(),
        name: row.name.clone(),
        version: row.version,
        startable: api.startable(&row.name).is_some_and(|definition| definition.hash() == row.hash),
        first_used_at: row.first_used_at,
    }
}
