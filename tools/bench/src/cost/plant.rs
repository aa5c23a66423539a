//! Puts sagas into the orchestrator's tables without running them: copies of one that ran, each with an id, key, lane and
//! deadline of its own. Only this file knows the tables; the orchestrator must be away meanwhile.

use anyhow::{Context as _, Result};
use backstitch_messaging::partition_for;
use backstitch_saga::SagaId;
use sqlx::{Executor as _, PgConnection};
use uuid::Uuid;

/// So many are written by one statement.
const AT_ONCE: u64 = 20_000;
/// And after so many, what was written is on the disk.
const WRITTEN_OUT_EACH: u64 = 500_000;

/// Finished sagas in tables of their own, which change places with the orchestrator's: so what is behind can be put
/// there and taken away, and windows with and without it compared in turn.
pub(super) struct Behind {
    /// How many rows of a journal each got, on average.
    pub(super) journal_rows: f64,
    /// All tables and indexes, GB.
    pub(super) gigabytes: f64,
}

impl Behind {
    /// Plants copies of sagas that have ended here, their journals without entries: ten million with all that is in them
    /// take 60 GB, and nothing reads those. What new sagas meet are indexes, and these are as they would be. `admin` may
    /// write what is in memory to the disk.
    pub(super) async fn plant(
        count: u64,
        db: &mut PgConnection,
        admin: &mut PgConnection,
        progress: impl Fn(u64),
    ) -> Result<Self> {
        db.execute(TWINS).await.context("could not make tables for finished sagas")?;
        let (mut rows, mut planted) = (0, 0);
        while planted < count {
            let some = AT_ONCE.min(count - planted);
            rows += finished(some, db).await?;
            planted += some;
            if planted.is_multiple_of(WRITTEN_OUT_EACH) {
                progress(planted);
                // Else the log of what was planted would take as much room once more.
                admin.execute("CHECKPOINT").await?;
            }
        }
        progress(planted);
        db.execute(INDEXES).await.context("could not index finished sagas")?;
        // As autovacuum and the checkpointer leave it in time; else the windows would pay for the planting.
        db.execute("VACUUM (FREEZE, ANALYZE) behind.sagas, behind.journal").await?;
        admin.execute("CHECKPOINT").await?;
        let size = "SELECT pg_total_relation_size('behind.sagas') + pg_total_relation_size('behind.journal_planted')";
        let bytes: i64 = sqlx::query_scalar(size).fetch_one(db).await?;
        Ok(Self { journal_rows: rows as f64 / count.max(1) as f64, gigabytes: bytes as f64 / 1e9 })
    }

    /// Lets the tables change places.
    pub(super) async fn swap(&self, db: &mut PgConnection) -> Result<()> {
        db.execute(SWAP).await.context("could not let the tables change places")?;
        Ok(())
    }
}

/// Tables like the orchestrator's, as yet without indexes: all at once they are made faster than row by row.
const TWINS: &str = "
    CREATE SCHEMA behind;
    CREATE SCHEMA aside;
    CREATE TABLE behind.sagas (LIKE saga.sagas INCLUDING ALL EXCLUDING INDEXES);
    CREATE TABLE behind.journal (LIKE saga.journal INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (started_at);
    CREATE TABLE behind.journal_planted PARTITION OF behind.journal DEFAULT;
    SELECT saga.measure_journal_little('behind.journal_planted');
    DO $$
    DECLARE said text;
    BEGIN
        FOR said IN
            SELECT format('ALTER TABLE behind.%I SET (%s)', relname, array_to_string(reloptions, ','))
            FROM pg_class WHERE oid = 'saga.sagas'::regclass AND reloptions IS NOT NULL
            UNION ALL
            SELECT format('ALTER TABLE behind.%I ALTER COLUMN %I SET STATISTICS %s', c.relname, a.attname, a.attstattarget)
            FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.oid = 'saga.sagas'::regclass AND a.attnum > 0 AND a.attstattarget >= 0
        LOOP
            EXECUTE said;
        END LOOP;
    END $$";

/// The orchestrator's indexes, once more, as full as those are that were there from the first row on.
const INDEXES: &str = r"
    SET maintenance_work_mem = '1GB';
    DO $$
    DECLARE said text;
    BEGIN
        FOR said IN SELECT regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?saga\.', ' ON behind.') FROM pg_index AS i
                    WHERE i.indrelid IN ('saga.sagas'::regclass, 'saga.journal'::regclass)
        LOOP
            IF said LIKE '%USING btree%' THEN
                said := regexp_replace(said, '( WHERE .*)?$', ' WITH (fillfactor = 70)\1');
            END IF;
            EXECUTE said;
        END LOOP;
    END $$";

const SWAP: &str = "
    BEGIN;
    ALTER TABLE saga.sagas SET SCHEMA aside;
    ALTER TABLE saga.journal SET SCHEMA aside;
    ALTER TABLE behind.sagas SET SCHEMA saga;
    ALTER TABLE behind.journal SET SCHEMA saga;
    ALTER TABLE aside.sagas SET SCHEMA behind;
    ALTER TABLE aside.journal SET SCHEMA behind;
    COMMIT";

/// Adds finished sagas to the tables behind; answers how many rows of a journal.
async fn finished(count: u64, db: &mut PgConnection) -> Result<u64> {
    // Nothing looks for an ended saga's home, so that its lane may be its template's.
    let rows = sqlx::query(
        "WITH templates AS (SELECT id, row_number() OVER () AS number FROM saga.sagas
                            WHERE finished_at IS NOT NULL LIMIT 1000),
              copies AS MATERIALIZED (
                  SELECT gen_random_uuid() AS id, t.id AS of
                  FROM generate_series(1, $1) AS n
                  JOIN templates AS t ON t.number = 1 + n % (SELECT count(*) FROM templates)),
              sagas AS (
                  INSERT INTO behind.sagas (lane, id, definition, definition_hash, key, seq, status, reason,
                                            correlation_id, state, trace, started_at, updated_at, finished_at, search)
                  SELECT s.lane, c.id, s.definition, s.definition_hash, c.id::text, s.seq, s.status, s.reason, c.id,
                         s.state, s.trace, s.started_at, s.updated_at, s.finished_at, s.search
                  FROM copies AS c JOIN saga.sagas AS s ON s.id = c.of)
         INSERT INTO behind.journal (started_at, saga_id, seq, at, caused_by, user_id, input, entries)
         SELECT j.started_at, c.id, j.seq, j.at, j.caused_by, j.user_id, j.input, '[]'::json
         FROM copies AS c JOIN saga.journal AS j ON j.saga_id = c.of",
    )
    .bind(i64::try_from(count)?)
    .execute(db)
    .await
    .context("could not plant finished sagas")?;
    Ok(rows.rows_affected())
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
