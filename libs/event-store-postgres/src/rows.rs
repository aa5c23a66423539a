//! Events and heads as columns and rows. Separate, so that every statement reads and writes them alike.

use backstitch_event_store::{Cursor, NewEvent, StoredEvent, StreamId, StreamVersion};
use sqlx::postgres::PgRow;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::types::{Json, JsonValue, Uuid};
use sqlx::{PgConnection, Row as _};

/// Arguments of [`crate::append_sql::NEW_HEADS`] and [`crate::append_sql::MOVED_HEADS`].
#[derive(Debug, Default)]
pub struct HeadColumns {
    /// `$1`.
    pub ids: Vec<String>,
    /// `$2`.
    pub versions: Vec<i64>,
    /// `$3` of moved heads.
    pub expected: Vec<i64>,
}

impl HeadColumns {
    /// Adds a head that moves from `expected` to `version`.
    pub fn push(&mut self, stream: &StreamId, expected: StreamVersion, version: StreamVersion) {
        self.ids.push(stream.to_string());
        self.versions.push(version.as_i64());
        self.expected.push(expected.as_i64());
    }

    /// How many heads there are, which is how many rows the part must touch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Arguments of [`crate::append_sql::EVENTS`], in the order of their placeholders.
#[derive(Debug, Default)]
pub struct EventColumns {
    /// `$1`.
    pub streams: Vec<String>,
    /// `$2`.
    pub versions: Vec<i64>,
    /// `$3`.
    pub event_ids: Vec<Uuid>,
    /// `$4`.
    pub event_types: Vec<String>,
    /// `$5`.
    pub event_versions: Vec<i32>,
    /// `$6`.
    pub aggregate_types: Vec<String>,
    /// `$7`.
    pub occurred_at: Vec<DateTime<Utc>>,
    /// `$8`.
    pub correlation_ids: Vec<Uuid>,
    /// `$9`.
    pub causation_ids: Vec<Option<Uuid>>,
    /// `$10`.
    pub user_ids: Vec<Option<String>>,
    /// `$11`.
    pub data: Vec<Json<JsonValue>>,
    /// `$12`.
    pub metadata: Vec<Json<JsonValue>>,
}

impl EventColumns {
    /// Adds an event as `version` of `stream`.
    pub fn push(&mut self, stream: &StreamId, version: StreamVersion, event: NewEvent) {
        self.streams.push(stream.to_string());
        self.versions.push(version.as_i64());
        self.event_ids.push(event.event_id);
        self.event_types.push(event.event_type);
        self.event_versions.push(event.event_version);
        self.aggregate_types.push(event.aggregate_type);
        self.occurred_at.push(event.occurred_at);
        self.correlation_ids.push(event.correlation_id);
        self.causation_ids.push(event.causation_id);
        self.user_ids.push(event.user_id);
        self.data.push(Json(event.data));
        self.metadata.push(Json(event.metadata));
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

/// Reads many streams, each after a version, in one round trip; each stream's events in order.
///
/// # Errors
/// The database's error.
pub async fn load_many(
    streams: &[(StreamId, StreamVersion)],
    db: &mut PgConnection,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, after): (Vec<String>, Vec<i64>) =
        streams.iter().map(|(stream, after)| (stream.to_string(), after.as_i64())).unzip();
    let rows = sqlx::query(LOAD_MANY).bind(ids).bind(after).fetch_all(db).await?;
    rows.iter().map(stored_event).collect()
}

// The lateral form makes the planner walk the index once for each stream, whatever its statistics say.
const LOAD_MANY: &str = "SELECT e.*
    FROM unnest($1::text[], $2::bigint[]) AS w (id, after),
         LATERAL (SELECT * FROM store.events
                  WHERE stream_id = w.id AND version > w.after ORDER BY version) AS e";

pub(crate) fn stored_event(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    let number = |column| row.try_get::<i64, _>(column).map(|value| u64::try_from(value).unwrap_or(0));
    Ok(StoredEvent {
        stream: stream_of(row, "stream_id")?,
        version: StreamVersion(number("version")?),
        cursor: Cursor { transaction: number("transaction_id")?, position: number("position")? },
        event: NewEvent {
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            aggregate_type: row.try_get("aggregate_type")?,
            occurred_at: row.try_get("occurred_at")?,
            correlation_id: row.try_get("correlation_id")?,
            causation_id: row.try_get("causation_id")?,
            user_id: row.try_get("user_id")?,
            data: row.try_get::<Json<JsonValue>, _>("data")?.0,
            metadata: row.try_get::<Json<JsonValue>, _>("metadata")?.0,
        },
    })
}

pub(crate) fn stream_of(row: &PgRow, column: &str) -> Result<StreamId, sqlx::Error> {
    StreamId::parse(row.try_get::<String, _>(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}
