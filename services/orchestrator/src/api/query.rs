//! The API's reads. The lanes have their own in `store`; nothing here writes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Row};
use uuid::Uuid;

use super::views::{Entry, SagaSummary};
use crate::definitions::Definitions;

const SUMMARY: &str =
    "id, definition, definition_hash, key, status, reason, correlation_id, search, started_at, updated_at, finished_at,
     coalesce((SELECT body ? 'observes' FROM saga.definitions WHERE hash = definition_hash), false) AS is_observed";

impl FromRow<'_, PgRow> for SagaSummary {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            definition: row.try_get("definition")?,
            definition_hash: row.try_get("definition_hash")?,
            is_observed: row.try_get("is_observed")?,
            key: row.try_get("key")?,
            status: row.try_get("status")?,
            reason: row.try_get("reason")?,
            correlation_id: row.try_get("correlation_id")?,
            search: row.try_get::<Json<BTreeMap<String, String>>, _>("search")?.0,
            started_at: row.try_get("started_at")?,
            updated_at: row.try_get("updated_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for Entry {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            kind: row.try_get("kind")?,
            at: row.try_get("at")?,
            caused_by: row.try_get("caused_by")?,
            user_id: row.try_get("user_id")?,
            input: row.try_get("input")?,
            data: row.try_get::<Json<Value>, _>("data")?.0,
        })
    }
}

/// Which sagas.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) statuses: Option<Vec<String>>,
    /// Whether no ended saga can match: the small index of live ones then serves.
    pub(super) live_only: bool,
    pub(super) definition: Option<String>,
    pub(super) definition_hash: Option<String>,
    pub(super) key: Option<String>,
    pub(super) search: Option<BTreeMap<String, String>>,
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
    /// Where the page before ended.
    pub(super) before: Option<(DateTime<Utc>, Uuid)>,
    pub(super) limit: i64,
}

pub(super) async fn sagas(db: &PgPool, filter: &Filter) -> Result<Vec<SagaSummary>, sqlx::Error> {
    rows(db, filter, SUMMARY).await?.iter().map(SagaSummary::from_row).collect()
}

/// The same with their states.
pub(super) async fn sagas_with_states(db: &PgPool, filter: &Filter) -> Result<Vec<SagaWithState>, sqlx::Error> {
    rows(db, filter, &format!("{SUMMARY}, state")).await?.iter().map(SagaWithState::from_row).collect()
}

async fn rows(db: &PgPool, filter: &Filter, columns: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    let ids = match &filter.key {
        Some(key) => Some(ids_of_key(db, key, filter.definition.as_deref()).await?),
        None => None,
    };
    let of_key = if ids.is_some() { "AND id = ANY($3)" } else { "" };
    let live = if filter.live_only { "AND finished_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT {columns} FROM saga.sagas
         WHERE ($1::text[] IS NULL OR status = ANY($1)) AND ($2::text IS NULL OR definition = $2)
           AND ($4::timestamptz IS NULL OR started_at >= $4)
           AND ($5::timestamptz IS NULL OR (started_at <= $5 AND (started_at < $5 OR id > $6)))
           AND ($8::jsonb IS NULL OR (search <> '{{}}' AND search @> $8))
           AND ($9::text IS NULL OR definition_hash = $9) AND ($10::timestamptz IS NULL OR started_at < $10) {of_key} {live}
         ORDER BY started_at DESC, id LIMIT $7"
    );
    let (before_at, before_id) = filter.before.unzip();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.statuses.as_deref())
        .bind(filter.definition.as_deref())
        .bind(ids)
        .bind(filter.since)
        .bind(before_at)
        .bind(before_id)
        .bind(filter.limit)
        .bind(filter.search.as_ref().map(Json))
        .bind(filter.definition_hash.as_deref())
        .bind(filter.until)
        .fetch_all(db)
        .await
}

/// The ids that sagas of this key may have: one for each definition's name.
async fn ids_of_key(db: &PgPool, key: &str, definition: Option<&str>) -> Result<Vec<Uuid>, sqlx::Error> {
    let names: Vec<String> = match definition {
        Some(name) => vec![name.to_owned()],
        None => sqlx::query_scalar("SELECT DISTINCT name FROM saga.definitions").fetch_all(db).await?,
    };
    Ok(names.iter().map(|name| Definitions::saga_id(name, key)).collect())
}

/// A saga with its state.
pub(super) struct SagaWithState {
    pub(super) summary: SagaSummary,
    pub(super) state: Value,
}

impl FromRow<'_, PgRow> for SagaWithState {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { summary: SagaSummary::from_row(row)?, state: row.try_get::<Json<Value>, _>("state")?.0 })
    }
}

pub(super) async fn saga(db: &PgPool, id: Uuid) -> Result<Option<SagaWithState>, sqlx::Error> {
    let sql = format!("SELECT {SUMMARY}, state FROM saga.sagas WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(db).await?;
    row.as_ref().map(SagaWithState::from_row).transpose()
}

/// A step that waits for its turn.
pub(super) struct Queued {
    pub(super) step: String,
    pub(super) participant: String,
    pub(super) since: DateTime<Utc>,
    /// Compensations have their turn before.
    pub(super) is_forward: bool,
}

/// How many of the saga's lane have their turn before this one.
pub(super) async fn before(db: &PgPool, saga: Uuid, queued: &Queued) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM saga.sagas AS s, json_array_elements(s.state->'open') AS open
         WHERE s.lane = (SELECT lane FROM saga.sagas WHERE id = $1) AND s.finished_at IS NULL
           AND s.status IN ('advancing', 'rolling_back')
           AND open->'waiting'->>'for' = 'turn' AND open->'waiting'->>'participant' = $2
           AND (s.status = 'advancing', (open->'waiting'->>'queued_at')::bigint, s.id, open->>'step')
               < ($3, $4, $1, $5)",
    )
    .bind(saga)
    .bind(&queued.participant)
    .bind(queued.is_forward)
    .bind(queued.since.timestamp_micros())
    .bind(&queued.step)
    .fetch_one(db)
    .await
}

pub(super) async fn status(db: &PgPool, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT status FROM saga.sagas WHERE id = $1").bind(id).fetch_optional(db).await
}

pub(super) async fn timeline(db: &PgPool, saga: Uuid, after: i64, limit: i64) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as(
        "SELECT seq, kind, at, caused_by, user_id, input, data FROM saga.journal_entries
         WHERE saga_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(saga)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// What a caller's command led to.
pub(super) async fn caused_by(db: &PgPool, command: Uuid) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as(
        "SELECT seq, kind, at, caused_by, user_id, input, data FROM saga.journal_entries
         WHERE caused_by = $1 AND user_id IS NOT NULL ORDER BY saga_id, seq",
    )
    .bind(command)
    .fetch_all(db)
    .await
}

/// A definition's row.
#[derive(FromRow)]
pub(super) struct DefinitionRow {
    pub(super) hash: String,
    pub(super) name: String,
    pub(super) version: i32,
    pub(super) first_used_at: DateTime<Utc>,
    pub(super) body: Json<Value>,
}

pub(super) async fn definitions(db: &PgPool) -> Result<Vec<DefinitionRow>, sqlx::Error> {
    sqlx::query_as("SELECT hash, name, version, first_used_at, body FROM saga.definitions ORDER BY name, version DESC")
        .fetch_all(db)
        .await
}

pub(super) async fn definition(db: &PgPool, hash: &str) -> Result<Option<DefinitionRow>, sqlx::Error> {
    sqlx::query_as("SELECT hash, name, version, first_used_at, body FROM saga.definitions WHERE hash = $1")
        .bind(hash)
        .fetch_optional(db)
        .await
}
