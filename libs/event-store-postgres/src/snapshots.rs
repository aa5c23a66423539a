//! Snapshots of aggregates, in the database of the events. Separate from the store: a snapshot may be lost.

use async_trait::async_trait;
use backstitch_event_store::{ReadError, Snapshot, SnapshotStore, StreamId, StreamVersion};
use sqlx::types::{Json, JsonValue};
use sqlx::{PgPool, Row as _};

use crate::failure::read_error;

const NEWEST: &str = "SELECT version, state_version, state FROM store.snapshots WHERE stream_id = $1";
// As `Snapshot::replaces` says.
const KEEP: &str = "INSERT INTO store.snapshots AS s (stream_id, version, state_version, state)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (stream_id) DO UPDATE
    SET version = excluded.version, state_version = excluded.state_version, state = excluded.state, taken_at = now()
    WHERE (excluded.state_version, excluded.version) > (s.state_version, s.version)";

/// Keeps the newest snapshot of each stream in a database that has this crate's migrations.
#[derive(Debug, Clone)]
pub struct PostgresSnapshots {
    pool: PgPool,
}

impl PostgresSnapshots {
    /// The snapshots of that database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl SnapshotStore for PostgresSnapshots {
    async fn newest(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadError> {
        let query = sqlx::query(NEWEST).bind(stream.as_str().to_owned());
        let Some(row) = query.fetch_optional(&self.pool).await.map_err(read_error)? else { return Ok(None) };
        let read = || {
            Ok::<_, sqlx::Error>(Snapshot {
                stream: stream.clone(),
                version: StreamVersion::from_i64(row.try_get("version")?),
                state_version: row.try_get("state_version")?,
                state: row.try_get::<Json<JsonValue>, _>("state")?.0,
            })
        };
        read().map(Some).map_err(read_error)
    }

    async fn keep(&self, snapshot: Snapshot) -> Result<(), ReadError> {
        let query = sqlx::query(KEEP)
            .bind(snapshot.stream.as_str().to_owned())
            .bind(snapshot.version.as_i64())
            .bind(snapshot.state_version)
            .bind(Json(snapshot.state));
        query.execute(&self.pool).await.map(|_| ()).map_err(read_error)
    }
}
