//! What keeps a store going: partitions ahead of the events, a new generation after a restore, and how old the oldest
//! running transaction is, below which all readers stop. Separate from the store: one process of many does it.

use std::time::Duration;

use sqlx::PgPool;

use crate::PostgresStore;

const OLDEST_TRANSACTION: &str =
    "SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::double precision
     FROM pg_stat_activity WHERE backend_xid IS NOT NULL";
// As a parent, the table of events has no pages of its own.
const BYTES: &str =
    "SELECT (coalesce(sum(pg_total_relation_size(inhrelid)), 0) + pg_total_relation_size('store.event_ids'))::bigint
     FROM pg_inherits WHERE inhparent = 'store.events'::regclass";

impl PostgresStore {
    /// To be called at start, before anything is appended: if the database was restored from a backup or a dump, or
    /// failed over, the order of events goes on above all that was ever read. Answers whether that was so.
    ///
    /// # Errors
    /// The database's error.
    pub async fn recognise_restore(&self) -> Result<bool, sqlx::Error> {
        let raised: bool = sqlx::query_scalar("SELECT store.recognise_restore()").fetch_one(self.pool()).await?;
        if raised {
            tracing::warn!("the event store lives on another server or timeline: a new generation of its order begins");
        }
        Ok(raised)
    }

    /// Makes the partitions that are to lie ready; answers how many were missing. Several processes may call it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn keep_partitions(&self) -> Result<u32, sqlx::Error> {
        let made: i32 = sqlx::query_scalar("SELECT store.keep_partitions()").fetch_one(self.pool()).await?;
        Ok(u32::try_from(made).unwrap_or(0))
    }

    /// Keeps partitions ahead and measures, every `interval`, until it is dropped. Failures are logged and met again.
    ///
    /// Metrics: `event_store_oldest_transaction_seconds` (readers stop below it: alert when it grows),
    /// `event_store_bytes`.
    pub async fn keep_house(&self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            match self.keep_partitions().await {
                Ok(0) => {}
                Ok(made) => tracing::info!(made, "partitions of the event store were made"),
                Err(error) => warn(&error, "no partitions of the event store could be made"),
            }
            if let Err(error) = measure(self.pool()).await {
                warn(&error, "the event store could not be measured");
            }
        }
    }
}

fn warn(error: &sqlx::Error, what: &'static str) {
    tracing::warn!(%error, "{what}");
}

async fn measure(pool: &PgPool) -> Result<(), sqlx::Error> {
    let seconds: f64 = sqlx::query_scalar(OLDEST_TRANSACTION).fetch_one(pool).await?;
    metrics::gauge!("event_store_oldest_transaction_seconds").set(seconds);
    let bytes: i64 = sqlx::query_scalar(BYTES).fetch_one(pool).await?;
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("event_store_bytes").set(bytes as f64);
    Ok(())
}
