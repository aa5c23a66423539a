//! The moment in which queries see the rebuilt version instead of the live one: one transaction, so that whoever dies in
//! it has done nothing.

use std::time::{Duration, Instant};

use sqlx::types::Json;
use sqlx::{Executor as _, PgConnection, PgPool, Row as _};

use crate::drive::Host;
use crate::layout::{lock, show};
use crate::verify::{Verdict, hold, release};

/// Why the versions were not swapped.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// There is nothing to swap in.
    #[error("no version of `{name}` is being built; begin with a rebuild")]
    NothingBuilt {
        /// The projection.
        name: &'static str,
    },
    /// It was not compared yet.
    #[error("version {version} of `{name}` is not verified yet; it is as soon as it has caught up")]
    NotVerified {
        /// The projection.
        name: &'static str,
        /// The version.
        version: i32,
    },
    /// It was compared, and differs.
    #[error(
        "version {version} of `{name}` differs from the live one; look at its verdict, and force it if it is right"
    )]
    Differs {
        /// The projection.
        name: &'static str,
        /// The version.
        version: i32,
    },
    /// Queries would go back in time.
    #[error("version {version} of `{name}` is behind the live one just now; ask again")]
    Behind {
        /// The projection.
        name: &'static str,
        /// The version.
        version: i32,
    },
    /// A query has been running for too long.
    #[error("a query on `{name}` does not end; ask again")]
    Busy {
        /// The projection.
        name: &'static str,
    },
    /// The database said no, or did not answer.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
}

impl SwapError {
    /// Whether it passes by itself.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Behind { .. } | Self::Busy { .. })
    }
}

/// How long a rebuilt version may take to catch up with a live one that is held.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Shows the version that is being built; answers its number. `force` swaps in one that differs.
///
/// Under steady load one of many partitions is always a little behind: then both are held until the rebuilt one is not.
pub(crate) async fn swap(host: &dyn Host, force: bool, pool: &PgPool) -> Result<i32, SwapError> {
    match attempt(host, force, pool).await {
        Err(SwapError::Behind { .. }) => {}
        outcome => return outcome,
    }
    let versions: Vec<i32> =
        sqlx::query_scalar("SELECT version FROM projection.versions WHERE name = $1 AND state IN ('live', 'building')")
            .bind(host.name().text())
            .fetch_all(pool)
            .await?;
    hold(host, &versions, pool).await?;
    let deadline = Instant::now() + PATIENCE;
    let outcome = loop {
        match attempt(host, force, pool).await {
            Err(SwapError::Behind { .. }) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            outcome => break outcome,
        }
    };
    release(host, &versions, pool).await?;
    outcome
}

async fn attempt(host: &dyn Host, force: bool, pool: &PgPool) -> Result<i32, SwapError> {
    let name = host.name();
    let mut transaction = pool.begin().await?;
    lock(name, &mut transaction).await?;
    let row = sqlx::query("SELECT version, verdict FROM projection.versions WHERE name = $1 AND state = 'building'")
        .bind(name.text())
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(row) = row else { return Err(SwapError::NothingBuilt { name: name.text() }) };
    let version: i32 = row.try_get("version")?;
    match row.try_get::<Option<Json<Verdict>>, _>("verdict")? {
        None => return Err(SwapError::NotVerified { name: name.text(), version }),
        Some(Json(verdict)) if !verdict.is_good() && !force => {
            return Err(SwapError::Differs { name: name.text(), version });
        }
        Some(_) => {}
    }
    // Nobody's query waits for a slow one in front of us for longer than this.
    transaction.execute("SET LOCAL lock_timeout = '500ms'").await?;
    let swapped = exchange(host, version, &mut transaction).await;
    match swapped {
        Ok(true) => transaction.commit().await?,
        Ok(false) => return Err(SwapError::Behind { name: name.text(), version }),
        Err(error) if is_lock_timeout(&error) => return Err(SwapError::Busy { name: name.text() }),
        Err(error) => return Err(error.into()),
    }
    metrics::counter!("projection_swaps_total", "projection" => name.text()).increment(1);
    tracing::info!(projection = name.text(), version, "a rebuilt projection is live");
    Ok(version)
}

/// Whether it was done; not while the live version is ahead.
async fn exchange(host: &dyn Host, version: i32, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let name = host.name();
    // Locked, so that the live version does not come further meanwhile.
    sqlx::query(
        "SELECT FROM projection.checkpoints AS c JOIN projection.versions AS v USING (name, version)
         WHERE name = $1 AND v.state = 'live' ORDER BY topic, partition FOR UPDATE OF c",
    )
    .bind(name.text())
    .execute(&mut *db)
    .await?;
    let behind: bool = sqlx::query_scalar(
        "SELECT EXISTS (
            SELECT FROM projection.checkpoints AS live JOIN projection.versions AS v USING (name, version)
            LEFT JOIN projection.checkpoints AS rebuilt
              ON rebuilt.name = live.name AND rebuilt.version = $2
             AND rebuilt.topic = live.topic AND rebuilt.partition = live.partition
            WHERE live.name = $1 AND v.state = 'live' AND
              (coalesce(rebuilt.transaction_id, 0), coalesce(rebuilt.next_offset, 0))
              < (live.transaction_id, live.next_offset))",
    )
    .bind(name.text())
    .bind(version)
    .fetch_one(&mut *db)
    .await?;
    if behind {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE projection.versions SET state = 'retired', retired_at = clock_timestamp()
         WHERE name = $1 AND state = 'live'",
    )
    .bind(name.text())
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE projection.versions SET state = 'live', live_at = clock_timestamp() WHERE name = $1 AND version = $2",
    )
    .bind(name.text())
    .bind(version)
    .execute(&mut *db)
    .await?;
    show(name, version, host.tables(), db).await?;
    Ok(true)
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("55P03")
}
