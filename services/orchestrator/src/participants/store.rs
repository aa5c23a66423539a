//! The rows of circuit breakers. Separate from those of sagas: they belong to no lane, and change when a breaker opens or
//! closes, whoever has found it out.

use async_trait::async_trait;
use backstitch_saga::participant::Opening;
use backstitch_saga::{By, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::time::{time, timestamp};

/// A database that keeps the openings of circuit breakers.
#[async_trait]
pub trait OpeningStore: Send {
    /// Openings that last, and those that ended within the last day, with their participants' topics.
    ///
    /// # Errors
    /// The database's.
    async fn openings(&mut self) -> Result<Vec<(String, Opening)>, sqlx::Error>;

    /// Opens the breaker of this topic. One that is open stays as it is, but that a person makes it theirs. Answers
    /// whether anything changed.
    ///
    /// # Errors
    /// The database's.
    async fn open_breaker(&mut self, topic: &str, at: Timestamp, by: Option<&By>) -> Result<bool, sqlx::Error>;

    /// Closes the breaker of this topic, if it is open since this time or before; one that a person has opened only if
    /// `a_persons` says so. Answers whether anything changed.
    ///
    /// # Errors
    /// The database's.
    async fn close_breaker(&mut self, topic: &str, at: Timestamp, a_persons: bool) -> Result<bool, sqlx::Error>;

    /// Forgets openings that ended more than a day ago.
    ///
    /// # Errors
    /// The database's.
    async fn prune_openings(&mut self) -> Result<(), sqlx::Error>;
}

#[async_trait]
impl OpeningStore for PgConnection {
    async fn openings(&mut self) -> Result<Vec<(String, Opening)>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT topic, opened_at, NULL::timestamptz AS closed_at, opened_by, reason FROM saga.participants
             WHERE opened_at IS NOT NULL
             UNION ALL
             SELECT topic, opened_at, closed_at, NULL, NULL FROM saga.openings
             WHERE closed_at > clock_timestamp() - interval '1 day'",
        )
        .fetch_all(self)
        .await?;
        rows.iter().map(opening).collect()
    }

    async fn open_breaker(&mut self, topic: &str, at: Timestamp, by: Option<&By>) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO saga.participants AS p (topic, opened_at, opened_by, reason) VALUES ($1, $2, $3, $4)
             ON CONFLICT (topic) DO UPDATE SET opened_at = coalesce(p.opened_at, excluded.opened_at),
                    opened_by = excluded.opened_by, reason = excluded.reason
             WHERE p.opened_at IS NULL OR excluded.opened_by IS NOT NULL",
        )
        .bind(topic)
        .bind(time(at))
        .bind(by.map(|by| by.who.as_str()))
        .bind(by.and_then(|by| by.why.as_deref()))
        .execute(self)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn close_breaker(&mut self, topic: &str, at: Timestamp, a_persons: bool) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "WITH was AS (SELECT topic, opened_at FROM saga.participants
                          WHERE topic = $1 AND opened_at <= $2 AND (opened_by IS NULL OR $3) FOR UPDATE),
                  past AS (INSERT INTO saga.openings (topic, opened_at, closed_at) SELECT topic, opened_at, $2 FROM was)
             UPDATE saga.participants AS p SET opened_at = NULL, opened_by = NULL, reason = NULL
             FROM was WHERE p.topic = was.topic",
        )
        .bind(topic)
        .bind(time(at))
        .bind(a_persons)
        .execute(self)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn prune_openings(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM saga.openings WHERE closed_at < clock_timestamp() - interval '1 day'")
            .execute(self)
            .await
            .map(drop)
    }
}

fn opening(row: &PgRow) -> Result<(String, Opening), sqlx::Error> {
    let who: Option<String> = row.try_get("opened_by")?;
    let why = row.try_get("reason")?;
    let opening = Opening {
        opened_at: timestamp(row.try_get("opened_at")?),
        closed_at: row.try_get::<Option<DateTime<Utc>>, _>("closed_at")?.map(timestamp),
        by: who.map(|who| By { who, why }),
    };
    Ok((row.try_get("topic")?, opening))
}
