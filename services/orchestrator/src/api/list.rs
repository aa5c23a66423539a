//! Lists of sagas. Separate from one saga's page: here everything is about pages and filters.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use backstitch_service_kit::http::{Problem, ProblemBody, Query, Viewer};
use chrono::DateTime;
use uuid::Uuid;

use super::query::{self, Filter};
use super::views::{ListQuery, SagaPage, SagaSummary};
use super::{Api, database};

const STATUSES: [&str; 8] =
    ["advancing", "rolling_back", "paused", "stuck", "completed", "rolled_back", "abandoned", "refused"];
/// Those of sagas that have not ended.
const LIVE: [&str; 4] = ["advancing", "rolling_back", "paused", "stuck"];
const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 500;

/// Lists sagas, newest first
#[utoipa::path(get, path = "/sagas", tag = "sagas", params(ListQuery), responses(
    (status = 200, body = SagaPage),
    (status = 400, body = ProblemBody, description = "A filter makes no sense"),
))]
pub(super) async fn sagas(
    State(api): State<Api>,
    _: Viewer,
    Query(asked): Query<ListQuery>,
) -> Result<Json<SagaPage>, Problem> {
    page(&api, asked).await
}

/// Lists the sagas that need a person
#[utoipa::path(get, path = "/stuck", tag = "sagas", params(ListQuery), responses((status = 200, body = SagaPage)))]
pub(super) async fn stuck(
    State(api): State<Api>,
    _: Viewer,
    Query(asked): Query<ListQuery>,
) -> Result<Json<SagaPage>, Problem> {
    page(&api, ListQuery { status: Some("stuck".to_owned()), ..asked }).await
}

async fn page(api: &Api, asked: ListQuery) -> Result<Json<SagaPage>, Problem> {
    let limit = limit(asked.limit)?;
    let statuses = asked.status.as_deref().map(statuses).transpose()?;
    let filter = Filter {
        live_only: statuses.as_ref().is_some_and(|all| all.iter().all(|status| LIVE.contains(&status.as_str()))),
        statuses,
        definition: asked.definition,
        definition_hash: asked.definition_hash,
        key: asked.key,
        search: asked.attributes.as_deref().map(attributes).transpose()?.filter(|wanted| !wanted.is_empty()),
        since: asked.since,
        until: asked.until,
        before: asked.cursor.as_deref().map(read_cursor).transpose()?,
        // One more than asked, to know whether there are more.
        limit: limit + 1,
    };
    let mut sagas = query::sagas(&api.db, &filter).await.map_err(database)?;
    let next = cut(&mut sagas, limit, |saga| saga);
    Ok(Json(SagaPage { sagas, next }))
}

/// How many are wanted.
pub(super) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request("limit_out_of_range", format!("`limit` should be from 1 to {LIMIT_MAX}")))
}

/// Leaves as many as are wanted; where the next page begins, if there is one.
pub(super) fn cut<T>(sagas: &mut Vec<T>, limit: i64, summary: impl Fn(&T) -> &SagaSummary) -> Option<String> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = sagas.len() > wanted;
    sagas.truncate(wanted);
    sagas.last().filter(|_| more).map(|last| cursor(summary(last)))
}

fn statuses(text: &str) -> Result<Vec<String>, Problem> {
    let known = |word: &str| {
        if STATUSES.contains(&word) {
            return Ok(word.to_owned());
        }
        let detail = format!("`{word}` is no status; there are {}", STATUSES.join(", "));
        Err(Problem::bad_request("status_unknown", detail))
    };
    text.split(',').map(str::trim).map(known).collect()
}

fn attributes(text: &str) -> Result<BTreeMap<String, String>, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let detail = format!("`where` should be a JSON object of texts, as in {{\"customer\":\"c-3\"}}: {error}");
        Problem::bad_request("where_unreadable", detail)
    })
}

fn cursor(saga: &SagaSummary) -> String {
    format!("{}.{}", saga.started_at.timestamp_micros(), saga.id)
}

/// Where the page before ended.
pub(super) fn read_cursor(text: &str) -> Result<(DateTime<chrono::Utc>, Uuid), Problem> {
    let read = || {
        let (micros, id) = text.split_once('.')?;
        Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
    };
    read().ok_or_else(|| Problem::bad_request("cursor_unknown", "`cursor` is none that a page before gave as `next`"))
}
