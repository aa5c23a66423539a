//! What moves a rebuild on: from its first event to verified, to live, to the end of what it replaced. Each step is taken
//! from what the database says, so that whoever comes after a crash goes on where it stopped.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{PgPool, Row as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::checkpoint::Version;
use crate::layout::{InstallError, Name, drop_version, lock, make_tables};
use crate::projection::{Projection, Tables};
use crate::runner::{Ports, run};
use crate::swap::{SwapError, swap};
use crate::verify::{Pair, verify};

/// So many events behind the live version, a rebuilt one is near enough to be compared: it catches up while both are held.
const NEAR: i64 = 2_000;

/// A projection, whatever its facts are.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    fn name(&self) -> Name;
    fn shape(&self) -> i32;
    fn tables(&self) -> Tables;
    /// Runs a version in this process.
    fn start(&self, number: i32, ports: Ports, stop: CancellationToken) -> JoinHandle<()>;
}

struct Hosted<P> {
    name: Name,
    projection: Arc<P>,
}

/// The projection as a host.
pub(crate) fn hosted<P: Projection>(projection: P) -> Result<Arc<dyn Host>, InstallError> {
    let name = Name::new(projection.name())?;
    Ok(Arc::new(Hosted { name, projection: Arc::new(projection) }))
}

#[async_trait]
impl<P: Projection> Host for Hosted<P> {
    fn name(&self) -> Name {
        self.name
    }

    fn shape(&self) -> i32 {
        self.projection.shape()
    }

    fn tables(&self) -> Tables {
        self.projection.tables()
    }

    fn start(&self, number: i32, ports: Ports, stop: CancellationToken) -> JoinHandle<()> {
        let version = Version { name: self.name, number };
        tokio::spawn(run(self.projection.clone(), version, ports, stop))
    }
}

/// Takes the next step that is due, if any.
pub(crate) async fn step(host: &dyn Host, pool: &PgPool) -> Result<(), sqlx::Error> {
    drop_retired(host, pool).await?;
    build_where_outgrown(host, pool).await?;
    let Some(built) = near_the_live_one(host, pool).await? else { return Ok(()) };
    // One process at a time compares; the others look again later.
    let mut guard = pool.acquire().await?;
    guard.close_on_drop();
    let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('projection drive ' || $1, 0))")
        .bind(host.name().text())
        .fetch_one(&mut *guard)
        .await?;
    if !ours {
        return Ok(());
    }
    let verdict_is_good = match built.verdict_is_good {
        Some(known) => known,
        None => match verify(host, built.pair, pool).await? {
            None => return Ok(()),
            Some(verdict) => {
                tell(host, built.pair, &verdict);
                verdict.is_good()
            }
        },
    };
    if built.swaps_by_itself && verdict_is_good {
        match swap(host, false, pool).await {
            Ok(_) | Err(SwapError::NothingBuilt { .. }) => {}
            Err(SwapError::Database(error)) => return Err(error),
            Err(error) if error.is_passing() => tracing::info!(%error, "the swap waits"),
            Err(error) => tracing::warn!(%error, "not swapped"),
        }
    }
    Ok(())
}

fn tell(host: &dyn Host, pair: Pair, verdict: &crate::Verdict) {
    let (projection, version) = (host.name().text(), pair.rebuilt);
    if verdict.is_good() {
        tracing::info!(projection, version, verdict = ?verdict.tables, "a rebuilt projection is verified");
    } else {
        tracing::error!(
            projection, version, verdict = ?verdict.tables,
            "a rebuilt projection differs from the live one and is not shown; swap it by force, or cancel it"
        );
    }
}

struct Built {
    pair: Pair,
    swaps_by_itself: bool,
    verdict_is_good: Option<bool>,
}

/// The version being built, once it is worth comparing.
async fn near_the_live_one(host: &dyn Host, pool: &PgPool) -> Result<Option<Built>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT built.version, built.swaps_by_itself, built.verdict, live.version AS live, live.shape AS live_shape
         FROM projection.versions AS built JOIN projection.versions AS live USING (name)
         WHERE name = $1 AND built.state = 'building' AND built.shape = $2 AND live.state = 'live'
           AND EXISTS (SELECT FROM projection.checkpoints AS c WHERE c.name = $1 AND c.version = built.version)
           AND NOT EXISTS (
               SELECT FROM projection.checkpoints AS l LEFT JOIN projection.checkpoints AS r
                 ON r.name = l.name AND r.version = built.version AND r.topic = l.topic AND r.partition = l.partition
               WHERE l.name = $1 AND l.version = live.version
                 AND (r.next_offset IS NULL OR l.next_offset - r.next_offset > $3))",
    )
    .bind(host.name().text())
    .bind(host.shape())
    .bind(NEAR)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let verdict: Option<sqlx::types::Json<crate::Verdict>> = row.try_get("verdict")?;
    let built = Built {
        pair: Pair {
            live: row.try_get("live")?,
            live_shape: row.try_get("live_shape")?,
            rebuilt: row.try_get("version")?,
        },
        swaps_by_itself: row.try_get("swaps_by_itself")?,
        verdict_is_good: verdict.map(|verdict| verdict.0.is_good()),
    };
    // Verified, and waiting for a person: nothing to do.
    let waits = built.verdict_is_good.is_some_and(|good| !good || !built.swaps_by_itself);
    Ok((!waits).then_some(built))
}

/// The code has outgrown the tables that serve: new ones are built beside them. Older code leaves newer tables alone.
async fn build_where_outgrown(host: &dyn Host, pool: &PgPool) -> Result<(), sqlx::Error> {
    let outgrown: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM projection.versions WHERE name = $1 AND state = 'live' AND shape < $2)
            AND NOT EXISTS (SELECT FROM projection.versions WHERE name = $1 AND state = 'building')",
    )
    .bind(host.name().text())
    .bind(host.shape())
    .fetch_one(pool)
    .await?;
    if outgrown {
        begin_building(host, "a new shape", true, pool).await?;
    }
    Ok(())
}

/// Makes the tables of a new version, which runners then fill; answers its number. `None` if one is being built already.
pub(crate) async fn begin_building(
    host: &dyn Host,
    asked_by: &str,
    swaps_by_itself: bool,
    pool: &PgPool,
) -> Result<Option<i32>, sqlx::Error> {
    let name = host.name();
    let mut transaction = pool.begin().await?;
    lock(name, &mut transaction).await?;
    let row = sqlx::query(
        "SELECT coalesce(max(version), 0) + 1 AS next, count(*) FILTER (WHERE state = 'building') AS built
         FROM projection.versions WHERE name = $1",
    )
    .bind(name.text())
    .fetch_one(&mut *transaction)
    .await?;
    if row.try_get::<i64, _>("built")? > 0 {
        return Ok(None);
    }
    let version: i32 = row.try_get("next")?;
    sqlx::query(
        "INSERT INTO projection.versions (name, version, shape, state, swaps_by_itself, asked_by)
         VALUES ($1, $2, $3, 'building', $4, $5)",
    )
    .bind(name.text())
    .bind(version)
    .bind(host.shape())
    .bind(swaps_by_itself)
    .bind(asked_by)
    .execute(&mut *transaction)
    .await?;
    make_tables(name, version, host.tables(), &mut transaction).await?;
    transaction.commit().await?;
    tracing::info!(projection = name.text(), version, asked_by, "a rebuild begins");
    Ok(Some(version))
}

/// Removes the tables of versions that nobody sees any more.
async fn drop_retired(host: &dyn Host, pool: &PgPool) -> Result<(), sqlx::Error> {
    let retired: Vec<i32> = sqlx::query_scalar(
        "SELECT version FROM projection.versions WHERE name = $1 AND state = 'retired' AND dropped_at IS NULL",
    )
    .bind(host.name().text())
    .fetch_all(pool)
    .await?;
    for version in retired {
        let mut transaction = pool.begin_with("BEGIN; SET LOCAL lock_timeout = '500ms'").await?;
        lock(host.name(), &mut transaction).await?;
        drop_version(host.name(), version, host.tables(), &mut transaction).await?;
        sqlx::query("UPDATE projection.versions SET dropped_at = clock_timestamp() WHERE name = $1 AND version = $2")
            .bind(host.name().text())
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        tracing::info!(projection = host.name().text(), version, "a retired projection's tables are gone");
    }
    Ok(())
}
