//! Every question that events are asked, each with the index that answers it. Separate, because the texts belong beside
//! one another: they share the horizon below which the order is final.

use backstitch_event_store::{Cursor, Selection, Slice, StoredEvent, StreamId};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgExecutor, Postgres, Row as _};
use uuid::Uuid;

use crate::rows::stored_event;

/// Below the oldest running transaction nothing can appear any more.
macro_rules! horizon {
    () => {
        "(SELECT (generation << 44) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM store.settings)"
    };
}

/// `$1`, `$2`: the cursor; `$3`: the limit.
macro_rules! from_cursor {
    () => {
        concat!(
            "(transaction_id, \"position\") > ($1, $2) AND transaction_id < ",
            horizon!(),
            " ORDER BY transaction_id, \"position\" LIMIT $3"
        )
    };
}

const ALL: &str = concat!("SELECT * FROM store.events WHERE ", from_cursor!());
// One walk of an index for each key: a list of keys in one condition would have everything after the cursor sorted.
const OF_TYPES: &str = "SELECT * FROM store.read_types($1, $2, $3, $4::text[]) ORDER BY transaction_id, \"position\"";
const OF_CATEGORIES: &str =
    "SELECT * FROM store.read_categories($1, $2, $3, $4::text[]) ORDER BY transaction_id, \"position\"";
const OF_SHARE: &str = "SELECT * FROM store.read_share($1, $2, $3, $4::text[], $5, $6)
    ORDER BY transaction_id, \"position\"";
const OF_FLOW: &str = concat!("SELECT * FROM store.events WHERE correlation_id = $4 AND ", from_cursor!());
const FORWARDS: &str = "SELECT * FROM store.events WHERE stream_id = $1 AND version > $2 ORDER BY version LIMIT $3";
const BACKWARDS: &str =
    "SELECT * FROM store.events WHERE stream_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3";
const HEAD: &str = "SELECT version FROM store.streams WHERE id = $1";
const BY_IDS: &str = "SELECT e.* FROM store.event_ids AS i
    JOIN store.events AS e ON e.transaction_id = i.transaction_id AND e.\"position\" = i.\"position\"
    WHERE i.event_id = ANY ($1)";
const END: &str = concat!(
    "SELECT transaction_id, \"position\" FROM store.events WHERE transaction_id < ",
    horizon!(),
    " ORDER BY transaction_id DESC, \"position\" DESC LIMIT 1"
);
const LAST_POSITION: &str = "SELECT last_value FROM store.positions";

/// Selected events of the global order.
pub(crate) async fn selected(
    selection: &Selection,
    after: Cursor,
    limit: u32,
    db: impl PgExecutor<'_>,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let text = match selection {
        Selection::All => ALL,
        Selection::Types(_) => OF_TYPES,
        Selection::Categories(_) => OF_CATEGORIES,
        Selection::Share(_) => OF_SHARE,
        Selection::Correlation(_) => OF_FLOW,
    };
    let query = sqlx::query(text).bind(signed(after.transaction)).bind(signed(after.position)).bind(i64::from(limit));
    let query = match selection {
        Selection::All => query,
        Selection::Types(keys) | Selection::Categories(keys) => query.bind(keys.iter().cloned().collect::<Vec<_>>()),
        Selection::Share(share) => query
            .bind(share.categories.iter().cloned().collect::<Vec<_>>())
            .bind(i64::from(share.nth))
            .bind(i64::from(share.of.get())),
        Selection::Correlation(flow) => query.bind(*flow),
    };
    events(query, db).await
}

/// A slice of a stream.
pub(crate) async fn slice(
    stream: &StreamId,
    slice: Slice,
    limit: u32,
    db: impl PgExecutor<'_>,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let (text, version) = match slice {
        Slice::After(version) => (FORWARDS, version.as_i64()),
        Slice::Before(version) => (BACKWARDS, version.as_i64()),
        Slice::Newest => (BACKWARDS, i64::MAX),
    };
    events(sqlx::query(text).bind(stream.as_str().to_owned()).bind(version).bind(i64::from(limit)), db).await
}

/// The events of these ids that are stored, in no order.
pub(crate) async fn by_ids(ids: Vec<Uuid>, db: impl PgExecutor<'_>) -> Result<Vec<StoredEvent>, sqlx::Error> {
    events(sqlx::query(BY_IDS).bind(ids), db).await
}

/// The version of a stream; 0 if there is none.
pub(crate) async fn head(stream: &StreamId, db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(HEAD).bind(stream.as_str().to_owned()).fetch_optional(db).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

/// Where the order ends, as far as it is final.
pub(crate) async fn end(db: impl PgExecutor<'_>) -> Result<Cursor, sqlx::Error> {
    let Some(row) = sqlx::query(END).fetch_optional(db).await? else { return Ok(Cursor::default()) };
    Ok(Cursor { transaction: unsigned(&row, 0)?, position: unsigned(&row, 1)? })
}

/// The newest position given out.
pub(crate) async fn last_position(db: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    unsigned(&sqlx::query(LAST_POSITION).fetch_one(db).await?, 0)
}

async fn events(
    query: Query<'_, Postgres, PgArguments>,
    db: impl PgExecutor<'_>,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    query.fetch_all(db).await?.iter().map(stored_event).collect()
}

fn unsigned(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
