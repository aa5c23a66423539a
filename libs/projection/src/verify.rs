//! Whether a rebuilt version says the same as the one that serves: both are brought to the same place in every partition,
//! and then compared, table by table, as of one moment. Separate from the swap, which only believes the verdict.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool, Row as _};

use crate::drive::Host;

/// How long both versions may take to come to the same place. A hold lasts longer and ends by itself.
const PATIENCE: Duration = Duration::from_secs(15);
const HOLD: &str = "20 seconds";
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The live version it was compared with.
    pub compared_with: i32,
    /// Whether every row must be equal: so it is where both have the same shape.
    pub must_be_equal: bool,
    /// By table.
    pub tables: Vec<Difference>,
}

/// How one table differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name.
    pub table: String,
    /// Rows in the live version.
    pub rows_live: i64,
    /// Rows in the rebuilt version.
    pub rows_rebuilt: i64,
    /// Rows that only the live version has, or has otherwise.
    pub only_live: i64,
    /// Rows that only the rebuilt version has, or has otherwise.
    pub only_rebuilt: i64,
}

impl Verdict {
    /// Whether it may go live without a person's word.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.must_be_equal || self.tables.iter().all(|table| table.only_live == 0 && table.only_rebuilt == 0)
    }
}

/// The versions to compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) live: i32,
    pub(crate) live_shape: i32,
    pub(crate) rebuilt: i32,
}

impl Pair {
    const fn both(self) -> [i32; 2] {
        [self.live, self.rebuilt]
    }
}

/// Compares, and keeps the verdict with the rebuilt version. `None` where they did not meet in time: another time.
pub(crate) async fn verify(host: &dyn Host, pair: Pair, pool: &PgPool) -> Result<Option<Verdict>, sqlx::Error> {
    let must_be_equal = pair.live_shape == host.shape();
    // Of another shape, nobody here may fill the live version: it need not come any further, and rows are only counted.
    let tables = if must_be_equal { meet(host, pair, pool).await? } else { Some(count(host, pair, pool).await?) };
    let Some(tables) = tables else { return Ok(None) };
    let verdict = Verdict { compared_with: pair.live, must_be_equal, tables };
    sqlx::query(
        "UPDATE projection.versions SET verdict = $3, verified_at = clock_timestamp()
         WHERE name = $1 AND version = $2 AND state = 'building'",
    )
    .bind(host.name().text())
    .bind(pair.rebuilt)
    .bind(Json(&verdict))
    .execute(pool)
    .await?;
    Ok(Some(verdict))
}

async fn meet(host: &dyn Host, pair: Pair, pool: &PgPool) -> Result<Option<Vec<Difference>>, sqlx::Error> {
    hold(host, &pair.both(), pool).await?;
    let outcome = compare_where_they_meet(host, pair, pool).await;
    let released = release(host, &pair.both(), pool).await;
    let differences = outcome?;
    released?;
    Ok(differences)
}

/// Tables that only one of them has count as empty in the other.
async fn count(host: &dyn Host, pair: Pair, pool: &PgPool) -> Result<Vec<Difference>, sqlx::Error> {
    let mut db = pool.acquire().await?;
    let mut differences = Vec::new();
    for table in host.tables().compared {
        let mut rows = [0; 2];
        for (rows, version) in rows.iter_mut().zip([pair.live, pair.rebuilt]) {
            let name = format!("\"{}\".\"{table}\"", host.name().schema(version));
            let exists: bool =
                sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&name).fetch_one(&mut *db).await?;
            if exists {
                let sql = format!("SELECT count(*) FROM {name}");
                *rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *db).await?;
            }
        }
        let [rows_live, rows_rebuilt] = rows;
        let table = (*table).to_owned();
        differences.push(Difference { table, rows_live, rows_rebuilt, only_live: 0, only_rebuilt: 0 });
    }
    Ok(differences)
}

/// Neither version passes, for a while, where the further of both is.
pub(crate) async fn hold(host: &dyn Host, versions: &[i32], pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // First locked, then looked at by a later statement: a batch that is being committed counts.
    sqlx::query(
        "SELECT FROM projection.checkpoints WHERE name = $1 AND version = ANY ($2)
         ORDER BY version, topic, partition FOR UPDATE",
    )
    .bind(host.name().text())
    .bind(versions)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "UPDATE projection.checkpoints AS c
         SET hold_transaction = furthest.transaction_id, hold_at = furthest.next_offset,
             held_until = clock_timestamp() + $3::text::interval
         FROM (SELECT DISTINCT ON (topic, partition) topic, partition, transaction_id, next_offset
               FROM projection.checkpoints WHERE name = $1 AND version = ANY ($2)
               ORDER BY topic, partition, transaction_id DESC, next_offset DESC) AS furthest
         WHERE c.name = $1 AND c.version = ANY ($2) AND c.topic = furthest.topic AND c.partition = furthest.partition",
    )
    .bind(host.name().text())
    .bind(versions)
    .bind(HOLD)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Both go on.
pub(crate) async fn release(host: &dyn Host, versions: &[i32], pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE projection.checkpoints SET hold_at = NULL, hold_transaction = NULL, held_until = NULL
         WHERE name = $1 AND version = ANY ($2) AND hold_at IS NOT NULL",
    )
    .bind(host.name().text())
    .bind(versions)
    .execute(pool)
    .await?;
    Ok(())
}

async fn compare_where_they_meet(
    host: &dyn Host,
    pair: Pair,
    pool: &PgPool,
) -> Result<Option<Vec<Difference>>, sqlx::Error> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // One snapshot: what is compared is what was equal.
        let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        if !is_being_built(host, pair, &mut snapshot).await? {
            return Ok(None);
        }
        if have_met(host, pair, &mut snapshot).await? {
            // The lanes go on; what is compared stands still all the same.
            release(host, &pair.both(), pool).await?;
            // Whole tables are read, once, however long it takes.
            snapshot.execute("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on").await?;
            let mut differences = Vec::new();
            for table in host.tables().compared {
                differences.push(compare(host, pair, table, &mut snapshot).await?);
            }
            return Ok(Some(differences));
        }
        drop(snapshot);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(None)
}

/// Not once it was called off: nobody would ever come to the place where the live one is held.
async fn is_being_built(host: &dyn Host, pair: Pair, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM projection.versions WHERE name = $1 AND version = $2 AND state = 'building')",
    )
    .bind(host.name().text())
    .bind(pair.rebuilt)
    .fetch_one(db)
    .await
}

async fn have_met(host: &dyn Host, pair: Pair, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT NOT EXISTS (
            SELECT FROM (SELECT topic, partition, transaction_id, next_offset FROM projection.checkpoints
                         WHERE name = $1 AND version = $2) AS live
            FULL JOIN (SELECT topic, partition, transaction_id, next_offset FROM projection.checkpoints
                       WHERE name = $1 AND version = $3) AS rebuilt USING (topic, partition)
            WHERE (live.transaction_id, live.next_offset)
                  IS DISTINCT FROM (rebuilt.transaction_id, rebuilt.next_offset))",
    )
    .bind(host.name().text())
    .bind(pair.live)
    .bind(pair.rebuilt)
    .fetch_one(db)
    .await
}

async fn compare(
    host: &dyn Host,
    pair: Pair,
    table: &'static str,
    db: &mut PgConnection,
) -> Result<Difference, sqlx::Error> {
    let (live, rebuilt) = (host.name().schema(pair.live), host.name().schema(pair.rebuilt));
    // The sum of the rows' hashes does not depend on their order; the rows are only looked through where it differs.
    let sums =
        format!("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM \"{{}}\".\"{table}\" AS t");
    let mut found = Vec::new();
    for schema in [&live, &rebuilt] {
        let row = sqlx::query(AssertSqlSafe(sums.replace("{}", schema))).fetch_one(&mut *db).await?;
        found.push((row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)?));
    }
    let [(rows_live, sum_live), (rows_rebuilt, sum_rebuilt)] = &found[..] else {
        return Err(sqlx::Error::RowNotFound);
    };
    let mut difference = Difference {
        table: table.to_owned(),
        rows_live: *rows_live,
        rows_rebuilt: *rows_rebuilt,
        only_live: 0,
        only_rebuilt: 0,
    };
    if (rows_live, sum_live) != (rows_rebuilt, sum_rebuilt) {
        let only = |of: &str, not: &str| {
            format!(
                "SELECT count(*) FROM (SELECT t::text FROM \"{of}\".\"{table}\" AS t
                 EXCEPT ALL SELECT t::text FROM \"{not}\".\"{table}\" AS t) AS missing"
            )
        };
        difference.only_live = sqlx::query_scalar(AssertSqlSafe(only(&live, &rebuilt))).fetch_one(&mut *db).await?;
        difference.only_rebuilt = sqlx::query_scalar(AssertSqlSafe(only(&rebuilt, &live))).fetch_one(db).await?;
    }
    Ok(difference)
}
