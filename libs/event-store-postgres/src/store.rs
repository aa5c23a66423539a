//! The store by itself: appends in transactions of its own, reads for queries and tests.

use async_trait::async_trait;
use backstitch_event_store::{
    AppendError, AppendRequest, Appended, Cursor, EventStore, Page, ReadError, StoredEvent, StreamId, StreamVersion,
};
use sqlx::{PgConnection, PgPool};

use crate::rows::{EventColumns, HeadColumns, load_many, stored_event};
use crate::{append_sql, insert_missing_heads, lock_heads};

/// An event store in a Postgres database that has this crate's migrations.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// The store of that database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        let mut transaction = self.pool.begin().await.map_err(append_error)?;
        insert_missing_heads(&request.streams(), &mut transaction).await.map_err(append_error)?;
        let written = request.writes.iter().map(|write| write.stream.clone()).collect();
        let read = request.reads.iter().map(|read| read.stream.clone()).collect();
        let heads = lock_heads(&written, &read, &mut transaction).await.map_err(append_error)?;
        request.check(&heads)?;

        let mut appended = Appended::default();
        let (mut moved, mut events) = (HeadColumns::default(), EventColumns::default());
        for write in request.writes {
            let before = heads.get(&write.stream).copied().unwrap_or_default();
            let after = before.after(write.events.len());
            for (nth, event) in write.events.into_iter().enumerate() {
                events.push(&write.stream, before.after(nth + 1), event);
            }
            moved.push(&write.stream, before, after);
            appended.heads.insert(write.stream, after);
        }
        move_heads(moved, &mut transaction).await.map_err(append_error)?;
        insert_events(events, &mut transaction).await.map_err(append_error)?;
        transaction.commit().await.map_err(append_error)?;
        Ok(appended)
    }

    async fn load_many(&self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, ReadError> {
        let mut connection = self.pool.acquire().await.map_err(read_error)?;
        load_many(streams, &mut connection).await.map_err(read_error)
    }

    async fn read_all(&self, after: Cursor, limit: u32) -> Result<Page, ReadError> {
        let as_i64 = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let rows = sqlx::query(READ_ALL)
            .bind(after.transaction.to_string())
            .bind(as_i64(after.position))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(read_error)?;
        let events = rows.iter().map(stored_event).collect::<Result<Vec<_>, _>>().map_err(read_error)?;
        let next = events.last().map_or(after, |event| event.cursor);
        Ok(Page { events, next })
    }
}

// Below the oldest running transaction nothing can appear any more.
const READ_ALL: &str = "SELECT position, transaction_id::text::bigint AS transaction_id, stream_id, version, event_id,
           event_type, event_version, aggregate_type, occurred_at, correlation_id, causation_id, user_id, data, metadata
    FROM store.events
    WHERE (transaction_id, position) > ($1::text::xid8, $2)
      AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY store.events.transaction_id, position LIMIT $3";

async fn move_heads(heads: HeadColumns, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let query = sqlx::query(append_sql::MOVED_HEADS).bind(heads.ids).bind(heads.versions).bind(heads.expected);
    query.execute(db).await.map(|_| ())
}

async fn insert_events(events: EventColumns, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(append_sql::EVENTS)
        .bind(events.streams)
        .bind(events.versions)
        .bind(events.event_ids)
        .bind(events.event_types)
        .bind(events.event_versions)
        .bind(events.aggregate_types)
        .bind(events.occurred_at)
        .bind(events.correlation_ids)
        .bind(events.causation_ids)
        .bind(events.user_ids)
        .bind(events.data)
        .bind(events.metadata)
        .execute(db)
        .await
        .map(|_| ())
}

fn append_error(source: sqlx::Error) -> AppendError {
    match &source {
        sqlx::Error::Database(refusal) if refusal.constraint() == Some("events_event_id_key") => {
            AppendError::DuplicateEvent { detail: refusal.to_string() }
        }
        _ => AppendError::Store { source: Box::new(source) },
    }
}

fn read_error(source: sqlx::Error) -> ReadError {
    ReadError { source: Box::new(source) }
}
