//! Partitions, restores and snapshots on a real database. Needs a server: `POSTGRES_ADMIN_URL`, as the local stack
//! writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

mod support;

use backstitch_event_store::{
    AppendRequest, Cursor, EventStore as _, ExpectedVersion, Snapshot, SnapshotStore as _, StreamId, StreamVersion,
    contract,
};
use backstitch_event_store_postgres::{PostgresSnapshots, PostgresStore};
use serde_json::json;
use sqlx::Executor as _;
use support::Database;

async fn append(store: &PostgresStore, stream: &StreamId, count: usize) {
    let events = (0..count).map(|_| contract::event("A")).collect();
    store.append(AppendRequest::new().write(stream.clone(), ExpectedVersion::Any, events)).await.unwrap();
}

/// With partitions of ten positions, none of them used yet.
async fn with_small_partitions() -> Database {
    let database = Database::fresh().await;
    for (from, to) in partitions(&database).await {
        let name = format!("store.events_from_{from}");
        database.pool.execute(sqlx::AssertSqlSafe(format!("DROP TABLE {name}"))).await.unwrap();
        assert!(to > from);
    }
    database.pool.execute("DELETE FROM store.partitions").await.unwrap();
    database.pool.execute("UPDATE store.settings SET partition_size = 10").await.unwrap();
    database
}

async fn partitions(database: &Database) -> Vec<(i64, i64)> {
    let text = "SELECT from_position, to_position FROM store.partitions ORDER BY from_position";
    sqlx::query_as(text).fetch_all(&database.pool).await.unwrap()
}

async fn in_default(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM store.events_default").fetch_one(&database.pool).await.unwrap()
}

#[tokio::test]
async fn partitions_lie_ready_before_events_come() {
    let database = with_small_partitions().await;
    let store = database.store();
    assert_eq!(store.keep_partitions().await.unwrap(), 3);
    assert_eq!(partitions(&database).await, [(0, 10), (10, 20), (20, 30)]);
    assert_eq!(store.keep_partitions().await.unwrap(), 0);
    let stream = contract::fresh("thing");
    append(&store, &stream, 15).await;
    assert_eq!(store.keep_partitions().await.unwrap(), 1);
    append(&store, &stream, 20).await;
    assert_eq!(in_default(&database).await, 0);
    let versions: Vec<_> =
        store.load(&stream, StreamVersion::NONE).await.unwrap().iter().map(|stored| stored.version.0).collect();
    assert_eq!(versions, (1..=35).collect::<Vec<_>>(), "over all partitions");
    database.drop().await;
}

#[tokio::test]
async fn an_append_never_fails_for_want_of_a_partition() {
    let database = with_small_partitions().await;
    let store = database.store();
    let stream = contract::fresh("thing");
    append(&store, &stream, 25).await;
    assert_eq!(in_default(&database).await, 25);
    assert!(store.keep_partitions().await.unwrap() > 0);
    let first = partitions(&database).await[0].0;
    assert!(first > 25, "what lies in the default partition stays there");
    append(&store, &stream, 40).await;
    let events = store.load(&stream, StreamVersion::NONE).await.unwrap();
    assert_eq!(events.len(), 65);
    assert!(in_default(&database).await < 65);
    // Whatever else runs on the server may hold the order back for a moment.
    while store.read_all(Cursor::default(), 100).await.unwrap().events != events {}
    let known = events[10].event.event_id;
    assert_eq!(store.event(known).await.unwrap().as_ref(), Some(&events[10]));
    database.drop().await;
}

#[tokio::test]
async fn after_a_restore_the_order_goes_on_above_all_that_was_read() {
    let database = Database::fresh().await;
    let store = database.store();
    assert!(!store.recognise_restore().await.unwrap(), "the same server");
    let stream = contract::fresh("thing");
    append(&store, &stream, 1).await;
    let seen = store.load(&stream, StreamVersion::NONE).await.unwrap()[0].cursor;
    database.pool.execute("UPDATE store.settings SET server = 'another/1'").await.unwrap();
    assert!(store.recognise_restore().await.unwrap());
    assert!(!store.recognise_restore().await.unwrap(), "once for each restore");
    append(&store, &stream, 1).await;
    let mut page = store.read_all(seen, 10).await.unwrap();
    while page.events.is_empty() {
        page = store.read_all(seen, 10).await.unwrap();
    }
    // However low the transaction ids of the new server are.
    assert!(page.next.transaction >= 1 << 44, "{}", page.next);
    database.drop().await;
}

#[tokio::test]
async fn the_newest_snapshot_is_kept_and_an_old_release_leaves_a_new_ones_alone() {
    let database = Database::fresh().await;
    let snapshots = PostgresSnapshots::new(database.pool.clone());
    let stream = contract::fresh("thing");
    assert_eq!(snapshots.newest(&stream).await.unwrap(), None);
    let snapshot = |version, state_version| Snapshot {
        stream: stream.clone(),
        version: StreamVersion(version),
        state_version,
        state: json!({"at": version}),
    };
    for (version, state_version, newest) in
        [(10, 1, (10, 1)), (9, 1, (10, 1)), (20, 1, (20, 1)), (15, 2, (15, 2)), (30, 1, (15, 2))]
    {
        snapshots.keep(snapshot(version, state_version)).await.unwrap();
        assert_eq!(snapshots.newest(&stream).await.unwrap(), Some(snapshot(newest.0, newest.1)));
    }
    database.drop().await;
}
