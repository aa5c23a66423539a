//! What the database server did: transactions, write-ahead log, flushes. Its own file, because nothing else here speaks SQL.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection, Row as _};

/// Counters since the server began.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    /// Transactions of all databases; a lane's statement is one.
    pub(crate) transactions: f64,
    /// Bytes of write-ahead log.
    pub(crate) log_bytes: f64,
    /// How often that was flushed to disk.
    pub(crate) flushes: f64,
    /// Rows inserted, updated and deleted.
    pub(crate) rows_written: f64,
}

const QUERY: &str = "SELECT (SELECT sum(xact_commit)::float8 FROM pg_stat_database) AS transactions,
        (SELECT sum(tup_inserted + tup_updated + tup_deleted)::float8 FROM pg_stat_database) AS rows_written,
        (SELECT wal_bytes::float8 FROM pg_stat_wal) AS log_bytes,
        (SELECT wal_sync::float8 FROM pg_stat_wal) AS flushes";

/// The counters now.
pub(crate) async fn counters(url: &str) -> Result<Counters> {
    let mut connection = PgConnection::connect(url).await.context("could not reach Postgres")?;
    let row = sqlx::query(QUERY).fetch_one(&mut connection).await?;
    let counters = Counters {
        transactions: row.try_get("transactions")?,
        log_bytes: row.try_get("log_bytes")?,
        flushes: row.try_get("flushes")?,
        rows_written: row.try_get("rows_written")?,
    };
    connection.close().await?;
    Ok(counters)
}

impl Counters {
    /// What was counted since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            transactions: self.transactions - before.transactions,
            log_bytes: self.log_bytes - before.log_bytes,
            flushes: self.flushes - before.flushes,
            rows_written: self.rows_written - before.rows_written,
        }
    }
}
