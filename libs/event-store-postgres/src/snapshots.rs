//! Snapshots of aggregates, in the database of the events. Separate from the store: a snapshot may be lost.

use async_trait::async_trait;
use backstitch_event_store::{ReadError, Snapshot, SnapshotStore, StreamId, StreamVersion};
use sqlx::types::{Json, JsonValue};
use sqlx::{PgExecutor, PgPool, Row as _};

use crate::failure::read_error;

const NEWEST: &str = "SELECT version, state_version, state FROM store.snapshots WHERE stream_id = $1";
// As `Snapshot::replaces` says.
const KEEP: &str = "INSERT INTO store.snapshots AS s (stream_id, version, state_version, state)
    SELECT n.* FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::jsonb[]) AS n (stream_id, version, form, state)
    ORDER BY n.stream_id COLLATE \"C\"
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
        keep_many(vec![snapshot], &self.pool).await.map_err(read_error)
    }
}

/// Keeps snapshots of different streams by one statement, each as [`SnapshotStore::keep`] does.
///
/// # Errors
/// The database's; so it is where two are of one stream.
pub async fn keep_many(snapshots: Vec<Snapshot>, db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    let (mut streams, mut versions, mut forms, mut states) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for snapshot in snapshots {
        streams.push(snapshot.stream.as_str().to_owned());
        versions.push(snapshot.version.as_i64());
        forms.push(snapshot.state_version);
        states.push(Json(snapshot.state));
    }
    sqlx::query(KEEP).bind(streams).bind(versions).bind(forms).bind(states).execute(db).await?;
    Ok(())
}
