//! The orchestrator's tables. The only file with their SQL on the lane's side; the API has its own reads.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backstitch_processor::{CONFLICT, Database, Statement};
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use backstitch_messaging::{LaneId, TraceContext};

use crate::participants::store::OpeningStore;

/// A text and not a constant, so that each query stays one literal.
macro_rules! select_saga {
    () => {
        "SELECT id, definition, definition_hash, key, seq, status, reason, correlation_id, state::text AS state, trace,
                started_at, updated_at, finished_at, search
         FROM saga.sagas"
    };
}

/// A saga's row as a lane holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct SagaRow {
    /// UUIDv5 of definition name and key.
    pub id: Uuid,
    /// The definition's name.
    pub definition: String,
    /// The definition the saga is under: the one it started with, unless it was moved.
    pub definition_hash: String,
    /// The business key.
    pub key: String,
    /// How many journal entries it has.
    pub seq: i64,
    /// The state's name.
    pub status: String,
    /// Why it is rolling back, stuck, or ended as it did.
    pub reason: Option<String>,
    /// The flow it belongs to.
    pub correlation_id: Uuid,
    /// The engine's state, JSON.
    pub state: String,
    /// The trace it goes on with after a restart.
    pub trace: Option<TraceContext>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
    /// When it ended, if it has.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it can be found by, computed at its start.
    pub search: BTreeMap<String, String>,
}

/// One entry of a saga's journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalRow {
    /// Whose.
    pub saga_id: Uuid,
    /// When that saga started: by this, and then by its id, its entries lie together.
    pub saga_started_at: DateTime<Utc>,
    /// Its place, from 1.
    pub seq: i64,
    /// The event's name.
    pub kind: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// The event or command that caused it.
    pub caused_by: Option<Uuid>,
    /// The person that caused it.
    pub user_id: Option<String>,
    /// Where the causing input was read: `topic/partition/offset`.
    pub input: Option<String>,
    /// The event, JSON.
    pub data: String,
}

impl JournalRow {
    /// Whether the other entry is the next of the same saga and has the same cause.
    fn is_followed_by(&self, next: &Self) -> bool {
        let cause = |row: &Self| (row.saga_id, row.at, row.caused_by);
        cause(self) == cause(next)
            && (self.seq + 1, &self.user_id, &self.input) == (next.seq, &next.user_id, &next.input)
    }
}

/// A lane's database that keeps sagas.
#[async_trait]
pub trait SagaStore: Database + OpeningStore {
    /// Every saga of the lane that has not ended, one after the other: there may be a million.
    ///
    /// # Errors
    /// The database's.
    fn live_sagas(&mut self, lane: LaneId) -> BoxStream<'_, Result<SagaRow, sqlx::Error>>;

    /// Those of these sagas that exist, ended ones too.
    ///
    /// # Errors
    /// The database's.
    async fn sagas(&mut self, ids: &[Uuid]) -> Result<Vec<SagaRow>, sqlx::Error>;

    /// Every definition that was ever used: hash and body.
    ///
    /// # Errors
    /// The database's.
    async fn definitions(&mut self) -> Result<Vec<(String, Value)>, sqlx::Error>;

    /// How many lanes there are.
    ///
    /// # Errors
    /// The database's.
    async fn lanes(&mut self) -> Result<i32, sqlx::Error>;

    /// Adds new sagas; one that exists already is a conflict.
    fn insert_sagas(lane: LaneId, sagas: &[&SagaRow], batch: &mut Self::Batch);

    /// Writes what became of sagas that exist.
    fn update_sagas(sagas: &[&SagaRow], batch: &mut Self::Batch);

    /// Appends journal entries.
    fn insert_journal(entries: &[JournalRow], batch: &mut Self::Batch);
}

#[async_trait]
impl SagaStore for PgConnection {
    fn live_sagas(&mut self, lane: LaneId) -> BoxStream<'_, Result<SagaRow, sqlx::Error>> {
        let pages = stream::once(open_cursor(lane, self)).map_ok(|db| stream::try_unfold(db, next_page)).try_flatten();
        pages.map_ok(|rows| stream::iter(rows).map(|row| saga(&row))).try_flatten().boxed()
    }

    async fn sagas(&mut self, ids: &[Uuid]) -> Result<Vec<SagaRow>, sqlx::Error> {
        sagas(ids, self).await
    }

    async fn definitions(&mut self) -> Result<Vec<(String, Value)>, sqlx::Error> {
        definitions(self).await
    }

    async fn lanes(&mut self) -> Result<i32, sqlx::Error> {
        let lanes = sqlx::query_scalar("SELECT lanes FROM processor.topology").fetch_optional(self).await?;
        Ok(lanes.unwrap_or(1))
    }

    fn insert_sagas(lane: LaneId, sagas: &[&SagaRow], batch: &mut Statement) {
        insert_sagas(lane, sagas, batch);
    }

    fn update_sagas(sagas: &[&SagaRow], batch: &mut Statement) {
        update_sagas(sagas, batch);
    }

    fn insert_journal(entries: &[JournalRow], batch: &mut Statement) {
        insert_journal(entries, batch);
    }
}

/// By a cursor, so that no statement lasts as long as its rows are looked at.
async fn open_cursor(lane: LaneId, db: &mut PgConnection) -> Result<&mut PgConnection, sqlx::Error> {
    sqlx::query("BEGIN").execute(&mut *db).await?;
    let declare =
        concat!("DECLARE live NO SCROLL CURSOR FOR ", select_saga!(), " WHERE lane = $1 AND finished_at IS NULL");
    sqlx::query(declare).bind(lane.0).execute(&mut *db).await?;
    Ok(db)
}

/// The next rows, and the connection to go on with. Nothing once all were read; then the cursor is closed.
async fn next_page(db: &mut PgConnection) -> Result<Option<(Vec<PgRow>, &mut PgConnection)>, sqlx::Error> {
    let rows = sqlx::query("FETCH 1000 FROM live").fetch_all(&mut *db).await?;
    if rows.is_empty() {
        sqlx::query("COMMIT").execute(db).await?;
        return Ok(None);
    }
    Ok(Some((rows, db)))
}

/// Those of these sagas that exist, ended ones too.
///
/// # Errors
/// The database's.
pub async fn sagas(ids: &[Uuid], db: &mut PgConnection) -> Result<Vec<SagaRow>, sqlx::Error> {
    let rows = sqlx::query(concat!(select_saga!(), " WHERE id = ANY($1)")).bind(ids).fetch_all(db).await?;
    rows.iter().map(saga).collect()
}

fn saga(row: &PgRow) -> Result<SagaRow, sqlx::Error> {
    Ok(SagaRow {
        id: row.try_get("id")?,
        definition: row.try_get("definition")?,
        definition_hash: row.try_get("definition_hash")?,
        key: row.try_get("key")?,
        seq: row.try_get("seq")?,
        status: row.try_get("status")?,
        reason: row.try_get("reason")?,
        correlation_id: row.try_get("correlation_id")?,
        state: row.try_get("state")?,
        trace: row.try_get::<Option<Json<TraceContext>>, _>("trace")?.map(|Json(trace)| trace),
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        finished_at: row.try_get("finished_at")?,
        search: row.try_get::<Json<BTreeMap<String, String>>, _>("search")?.0,
    })
}

/// Adds new sagas; one that exists already is a conflict.
pub fn insert_sagas(lane: LaneId, sagas: &[&SagaRow], statement: &mut Statement) {
    if sagas.is_empty() {
        return;
    }
    statement
        .part(
            "sagas_new",
            "INSERT INTO saga.sagas (lane, id, definition, definition_hash, key, seq, status, reason, correlation_id,
                                     state, trace, started_at, updated_at, finished_at, search)
             SELECT lane, id, definition, hash, key, seq, status, reason, correlation, state::json, trace, started, updated,
                    finished, search
             FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                         $8::text[], $9::uuid[], $10::text[], $11::jsonb[], $12::timestamptz[],
                         $13::timestamptz[], $14::timestamptz[], $15::jsonb[])
                  AS s (lane, id, definition, hash, key, seq, status, reason, correlation, state, trace, started, updated,
                        finished, search)",
        )
        .bind(vec![lane.0; sagas.len()])
        .bind(column(sagas, |saga| saga.id))
        .bind(column(sagas, |saga| saga.definition.clone()))
        .bind(column(sagas, |saga| saga.definition_hash.clone()))
        .bind(column(sagas, |saga| saga.key.clone()))
        .bind(column(sagas, |saga| saga.seq))
        .bind(column(sagas, |saga| saga.status.clone()))
        .bind(column(sagas, |saga| saga.reason.clone()))
        .bind(column(sagas, |saga| saga.correlation_id))
        .bind(column(sagas, |saga| saga.state.clone()))
        .bind(column(sagas, |saga| saga.trace.clone().map(Json)))
        .bind(column(sagas, |saga| saga.started_at))
        .bind(column(sagas, |saga| saga.updated_at))
        .bind(column(sagas, |saga| saga.finished_at))
        .bind(column(sagas, |saga| Json(saga.search.clone())));
}

/// Writes what became of sagas that exist.
pub fn update_sagas(sagas: &[&SagaRow], statement: &mut Statement) {
    if sagas.is_empty() {
        return;
    }
    statement
        .part(
            "sagas_moved",
            "UPDATE saga.sagas AS s SET seq = n.seq, status = n.status, reason = n.reason, state = n.state::json,
                    updated_at = n.updated_at, finished_at = n.finished_at, definition_hash = n.hash
             FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                         $7::timestamptz[], $8::text[])
                  AS n (id, seq, status, reason, state, updated_at, finished_at, hash)
             WHERE s.id = n.id RETURNING 1",
        )
        .bind(column(sagas, |saga| saga.id))
        .bind(column(sagas, |saga| saga.seq))
        .bind(column(sagas, |saga| saga.status.clone()))
        .bind(column(sagas, |saga| saga.reason.clone()))
        .bind(column(sagas, |saga| saga.state.clone()))
        .bind(column(sagas, |saga| saga.updated_at))
        .bind(column(sagas, |saga| saga.finished_at))
        .bind(column(sagas, |saga| saga.definition_hash.clone()))
        .expect(sagas.len(), CONFLICT);
}

/// Appends journal entries: one row for those that an input led to.
pub fn insert_journal(entries: &[JournalRow], statement: &mut Statement) {
    if entries.is_empty() {
        return;
    }
    let chunks = entries.chunk_by(|entry, next| entry.is_followed_by(next));
    let (firsts, arrays): (Vec<&JournalRow>, Vec<String>) =
        chunks.filter_map(|chunk| Some((chunk.first()?, array(chunk)))).unzip();
    statement
        .part(
            "journal_added",
            "INSERT INTO saga.journal (started_at, saga_id, seq, at, caused_by, user_id, input, entries)
             SELECT started_at, saga_id, seq, at, caused_by, user_id, input, entries::json
             FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::uuid[], $6::text[],
                         $7::text[], $8::text[])
                  AS j (started_at, saga_id, seq, at, caused_by, user_id, input, entries)",
        )
        .bind(column(&firsts, |first| first.saga_started_at))
        .bind(column(&firsts, |first| first.saga_id))
        .bind(column(&firsts, |first| first.seq))
        .bind(column(&firsts, |first| first.at))
        .bind(column(&firsts, |first| first.caused_by))
        .bind(column(&firsts, |first| first.user_id.clone()))
        .bind(column(&firsts, |first| first.input.clone()))
        .bind(arrays);
}

fn array(entries: &[JournalRow]) -> String {
    let entries: Vec<&str> = entries.iter().map(|entry| entry.data.as_str()).collect();
    format!("[{}]", entries.join(","))
}

fn column<R, T>(rows: &[&R], field: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(|row| field(row)).collect()
}

/// Keeps a definition; a known one stays as it is.
///
/// # Errors
/// The database's.
pub async fn keep_definition(
    hash: &str,
    name: &str,
    version: u32,
    body: Value,
    db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO saga.definitions (hash, name, version, body) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING",
    )
    .bind(hash)
    .bind(name)
    .bind(i32::try_from(version).unwrap_or(i32::MAX))
    .bind(Json(body))
    .execute(db)
    .await?;
    Ok(())
}

/// Every definition that was ever used: hash and body.
///
/// # Errors
/// The database's.
pub async fn definitions(db: &mut PgConnection) -> Result<Vec<(String, Value)>, sqlx::Error> {
    let rows = sqlx::query("SELECT hash, body FROM saga.definitions ORDER BY first_used_at").fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.try_get("hash")?, row.try_get::<Json<Value>, _>("body")?.0))).collect()
}

#[cfg(test)]
#[cfg(feature = "system")]
mod tests;
