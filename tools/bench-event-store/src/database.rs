//! A database of its own for each window, filled beforehand if that is asked. Separate from the loads.

use anyhow::{Context as _, Result};
use backstitch_event_store_postgres::{PostgresStore, migrations};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};

pub(crate) struct Database {
    admin: String,
    name: String,
    pub(crate) pool: PgPool,
}

/// A hundred events a stream, as services leave them.
const FILL: &str = "INSERT INTO store.events (transaction_id, position, stream_id, version, event_id, event_type,
        event_version, aggregate_type, occurred_at, correlation_id, data, metadata)
    SELECT 1, n, 'old-' || (n / 100), n % 100 + 1, gen_random_uuid(), 'Noted', 1, 'old', now(), gen_random_uuid(),
           '{\"amount\": 1250, \"currency\": \"EUR\", \"reference\": \"invoice 2026-11-0042\", \"lines\": [1, 2, 3]}',
           '{\"source\": \"bench\"}'
    FROM generate_series($1::bigint, $2::bigint) AS n";

impl Database {
    pub(crate) async fn fresh(admin: &str, stored: u64) -> Result<Self> {
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(admin).await.context("could not reach Postgres")?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        let server = admin.rsplit_once('/').context("a URL with a database is asked for")?.0;
        let pool = PgPoolOptions::new().max_connections(16).connect(&format!("{server}/{name}")).await?;
        migrations().run(&pool).await?;
        let database = Self { admin: admin.to_owned(), name, pool };
        if stored > 0 {
            database.fill(i64::try_from(stored)?).await?;
        }
        Ok(database)
    }

    async fn fill(&self, stored: i64) -> Result<()> {
        let mut from = 0;
        while from < stored {
            let to = (from + 500_000).min(stored);
            sqlx::query(FILL).bind(from).bind(to - 1).execute(&self.pool).await?;
            sqlx::query("SELECT setval('store.positions', $1)").bind(to).execute(&self.pool).await?;
            self.store().keep_partitions().await?;
            from = to;
        }
        let ids = "INSERT INTO store.event_ids SELECT event_id, transaction_id, position FROM store.events";
        self.pool.execute(ids).await?;
        let heads = "INSERT INTO store.streams SELECT stream_id, max(version), 1 FROM store.events GROUP BY stream_id";
        self.pool.execute(heads).await?;
        self.pool.execute("VACUUM ANALYZE").await?;
        // What was filled in is on disk, as it would be in time; else the window would pay for it.
        let mut admin = PgConnection::connect(&self.admin).await?;
        admin.execute("CHECKPOINT").await?;
        Ok(())
    }

    pub(crate) fn store(&self) -> PostgresStore {
        PostgresStore::new(self.pool.clone())
    }

    pub(crate) async fn drop(self) -> Result<()> {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await?;
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await?;
        Ok(())
    }
}
