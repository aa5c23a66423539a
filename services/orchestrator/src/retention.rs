//! How long journals are kept. The journal's table is made of weeks, by when sagas began; a week is dropped as a whole. What
//! is left of its sagas, their rows, still says that they ran, how they ended, and that they must not start again.

use std::time::Duration;

use backstitch_service_kit::ShutdownToken;
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;

/// How often it is looked for weeks to be made and dropped.
const EVERY: Duration = Duration::from_secs(3600);

/// What one look led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    /// Weeks that lie ready now and did not before.
    pub made: i32,
    /// Weeks whose journals are gone.
    pub dropped: i32,
    /// Weeks old enough that stay for a saga that has not ended.
    pub held: i32,
}

/// Makes the tables of this week and the next, and drops weeks that ended more than so many days ago, unless a saga that
/// began then has not ended. Without a number of days nothing is dropped. Several processes may call it.
///
/// # Errors
/// The database's.
pub async fn keep_weeks(db: &PgPool, retention_days: Option<u32>) -> Result<Kept, sqlx::Error> {
    let kept = retention_days.map(|days| PgInterval {
        months: 0,
        days: i32::try_from(days).unwrap_or(i32::MAX),
        microseconds: 0,
    });
    sqlx::query_as("SELECT made, dropped, held FROM saga.keep_journal($1)").bind(kept).fetch_one(db).await
}

/// Each hour until `stop`. What fails is logged and tried again.
pub async fn keep(db: PgPool, retention_days: Option<u32>, stop: ShutdownToken) {
    loop {
        match keep_weeks(&db, retention_days).await {
            Ok(Kept { made: 0, dropped: 0, held: 0 }) => {}
            Ok(Kept { made, dropped, held }) => tracing::info!(made, dropped, held, "weeks of the journal"),
            Err(error) => {
                tracing::warn!(%error, "weeks of the journal could not be made or dropped; tried again in an hour")
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

#[cfg(test)]
#[cfg(feature = "system")]
mod tests;
