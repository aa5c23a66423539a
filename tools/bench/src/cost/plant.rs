//! Puts sagas into the orchestrator's tables without running them: copies of one that ran, each with an id, key, lane and
//! deadline of its own. Only this file knows the tables; the orchestrator must be away meanwhile.

use anyhow::{Context as _, Result};
use backstitch_messaging::partition_for;
use backstitch_saga::SagaId;
use sqlx::PgConnection;
use uuid::Uuid;

/// So many are written by one statement.
const AT_ONCE: u64 = 20_000;

/// Adds finished sagas with their journals: copies of sagas that have ended here. How many rows of a journal each got, on
/// average.
pub(super) async fn finished(count: u64, db: &mut PgConnection) -> Result<f64> {
    let mut rows = 0;
    let mut left = count;
    while left > 0 {
        let some = left.min(AT_ONCE);
        // Nothing looks for an ended saga's home, so that its lane and key may be its template's.
        rows += sqlx::query(
            "WITH templates AS (SELECT id, row_number() OVER () AS number FROM saga.sagas
                                WHERE finished_at IS NOT NULL LIMIT 1000),
                  copies AS MATERIALIZED (
                      SELECT gen_random_uuid() AS id, t.id AS of
                      FROM generate_series(1, $1) AS n
                      JOIN templates AS t ON t.number = 1 + n % (SELECT count(*) FROM templates)),
                  sagas AS (
                      INSERT INTO saga.sagas (lane, id, definition, definition_hash, key, seq, status, reason,
                                              correlation_id, state, trace, started_at, updated_at, finished_at, search)
                      SELECT s.lane, c.id, s.definition, s.definition_hash, s.key, s.seq, s.status, s.reason, c.id,
                             s.state, s.trace, s.started_at, s.updated_at, s.finished_at, s.search
                      FROM copies AS c JOIN saga.sagas AS s ON s.id = c.of)
             INSERT INTO saga.journal (saga_id, seq, at, caused_by, user_id, input, entries)
             SELECT c.id, j.seq, j.at, j.caused_by, j.user_id, j.input, j.entries
             FROM copies AS c JOIN saga.journal AS j ON j.saga_id = c.of",
        )
        .bind(i64::try_from(some)?)
        .execute(&mut *db)
        .await
        .context("could not plant finished sagas")?
        .rows_affected();
        left -= some;
    }
    sqlx::query("ANALYZE saga.sagas, saga.journal").execute(db).await?;
    Ok(rows as f64 / count.max(1) as f64)
}

/// A saga that waits, as it is in the tables.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Template {
    id: Uuid,
    definition: String,
    /// When its time is over, microseconds since 1970.
    due_micros: i64,
}

/// The saga of this key, which must wait for a timer.
pub(super) async fn template(key: &str, db: &mut PgConnection) -> Result<Option<Template>> {
    let query = "SELECT id, definition, (state::jsonb #>> '{open,0,waiting,until}')::bigint AS due_micros
                 FROM saga.sagas WHERE key = $1 AND state::jsonb #>> '{open,0,waiting,until}' IS NOT NULL";
    Ok(sqlx::query_as(query).bind(key).fetch_optional(db).await?)
}

/// Adds live sagas whose timers are due as `due_micros` says of its number.
pub(super) async fn waiting(
    template: &Template,
    count: u64,
    lanes: i32,
    due_micros: impl Fn(u64) -> i64,
    db: &mut PgConnection,
) -> Result<()> {
    let run = Uuid::new_v4().simple().to_string();
    for from in (0..count).step_by(usize::try_from(AT_ONCE)?) {
        let numbers = from..count.min(from + AT_ONCE);
        let due: Vec<i64> = numbers.clone().map(&due_micros).collect();
        // Whoever reads a key sees when its timer was due.
        let keys = numbers.zip(&due).map(|(number, due)| format!("{run}-{number}-{due}"));
        let keys: Vec<String> = keys.collect();
        let ids: Vec<Uuid> = keys.iter().map(|key| SagaId::derive(&template.definition, key).as_uuid()).collect();
        let homes: Vec<i32> = keys.iter().map(|key| partition_for(key.as_bytes(), lanes)).collect();
        // Id, key and deadline stand in the state as text and number; nothing else there tells copies apart. The lane sets
        // the timers of its sagas from their states when it is claimed.
        sqlx::query(
            "INSERT INTO saga.sagas (lane, id, definition, definition_hash, key, seq, status, reason, correlation_id,
                                     state, trace, started_at, updated_at, finished_at, search)
             SELECT n.lane, n.id, s.definition, s.definition_hash, n.key, s.seq, s.status, s.reason, n.id,
                    replace(replace(replace(s.state::text, s.key, n.key), s.id::text, n.id::text), $6, n.due::text)::json,
                    s.trace, s.started_at, s.updated_at, s.finished_at, s.search
             FROM unnest($2::uuid[], $3::text[], $4::integer[], $5::bigint[]) AS n (id, key, lane, due), saga.sagas AS s
             WHERE s.id = $1",
        )
        .bind(template.id)
        .bind(ids)
        .bind(keys)
        .bind(homes)
        .bind(due)
        .bind(template.due_micros.to_string())
        .execute(&mut *db)
        .await
        .context("could not plant waiting sagas")?;
    }
    sqlx::query("ANALYZE saga.sagas").execute(db).await?;
    Ok(())
}

impl Template {
    /// When its own timer rings.
    pub(super) const fn due_micros(&self) -> i64 {
        self.due_micros
    }
}
