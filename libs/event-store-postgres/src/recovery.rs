//! Many streams from their snapshots on, in one round trip. Separate from the snapshots' own store, which answers about one
//! stream and leaves its events to others.

use backstitch_event_store::{Snapshot, StoredEvent, StreamId, StreamVersion};
use sqlx::types::{Json, JsonValue};
use sqlx::{PgConnection, Row as _};

use crate::rows::stored_event;

/// Streams as they were found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovery {
    /// Of each stream that has one: its newest snapshot of the form asked for.
    pub snapshots: Vec<Snapshot>,
    /// Each stream's events in order. Where there is a snapshot, the first is the one that it stands at: whoever uses it
    /// sees whether that event is still there and still the same, which it need not be after a restore.
    pub events: Vec<StoredEvent>,
}

/// Reads many streams, each after a version; one that is asked for from its beginning, from its snapshot on.
///
/// # Errors
/// The database's error.
pub async fn recover_many(
    streams: &[(StreamId, StreamVersion)],
    state_version: i32,
    db: &mut PgConnection,
) -> Result<Recovery, sqlx::Error> {
    let mut recovery = Recovery::default();
    if streams.is_empty() {
        return Ok(recovery);
    }
    let (ids, after): (Vec<String>, Vec<i64>) =
        streams.iter().map(|(stream, after)| (stream.to_string(), after.as_i64())).unzip();
    let rows = sqlx::query(RECOVER).bind(ids).bind(after).bind(state_version).fetch_all(db).await?;
    for row in &rows {
        if let Some(Json(state)) = row.try_get::<Option<Json<JsonValue>>, _>("snapshot_state")? {
            let version = StreamVersion::from_i64(row.try_get("snapshot_version")?);
            let stream = crate::rows::stream_of(row, "asked_for")?;
            recovery.snapshots.push(Snapshot { stream, version, state_version, state });
        }
        if row.try_get::<Option<i64>, _>("version")?.is_some() {
            recovery.events.push(stored_event(row)?);
        }
    }
    Ok(recovery)
}

// The lateral forms make the planner walk each index once for each stream, whatever its statistics say. A state travels
// once: with its stream's first row, which there is even where nothing follows.
const RECOVER: &str = "SELECT w.id AS asked_for, s.version AS snapshot_version,
        CASE WHEN e.version IS NULL OR e.version = s.version THEN s.state END AS snapshot_state, e.*
    FROM unnest($1::text[], $2::bigint[]) AS w (id, after)
    LEFT JOIN LATERAL (SELECT version, state FROM store.snapshots
                       WHERE stream_id = w.id AND state_version = $3 AND w.after = 0 LIMIT 1) AS s ON true
    LEFT JOIN LATERAL (SELECT * FROM store.events
                       WHERE stream_id = w.id AND version >= coalesce(s.version, w.after + 1)
                       ORDER BY version) AS e ON true";
