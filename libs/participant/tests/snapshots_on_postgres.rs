//! Snapshots in a real database: taken beside the lane, read in the round trip that reads the events, and worth nothing
//! where they are wrong. Needs a server: `POSTGRES_ADMIN_URL`, as the local stack writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]
#![allow(dead_code, reason = "the desk's parts are made for more stories than these")]

#[path = "../src/tests/booking.rs"]
mod booking;
#[path = "../src/tests/letters.rs"]
mod letters;
#[path = "../src/tests/schema.rs"]
mod schema;
#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

// The desk's parts name these as their crate's own.
use backstitch_participant::{Answer, Changes, DomainEvent, Intent, Participant, Route, Settings, View, Visibility};
use sqlx::{AssertSqlSafe, Executor as _};

use booking::{How, flow_stream, seat_stream};
use letters::{FLOW, book, unbook};
use schema::other_settings;
use support::{Database, Lane};

const EVERY: u64 = 10;
const ROUNDS: u128 = 30;

fn snapshotting(database: &Database) -> Arc<Settings> {
    Arc::new(other_settings().with_snapshots(EVERY, database.pool.clone()))
}

/// Books the seat and gives it back, again and again: two events a round in each stream.
async fn live(lane: &mut Lane, rounds: std::ops::Range<u128>) {
    for round in rounds {
        assert_eq!(lane.gets(vec![book(2 * round + 1, "A", How::Now)]).await, 1);
        assert_eq!(lane.gets(vec![unbook(2 * round + 2, How::Now).undoing(2 * round + 1)]).await, 1);
    }
}

/// The versions of the flow's snapshot and the seat's, once both are as new as that, and of this release's form.
async fn kept(database: &Database, at_least: i64) -> Vec<i64> {
    let waiting = async {
        loop {
            let versions: Vec<i64> = sqlx::query_scalar(
                "SELECT version FROM store.snapshots WHERE state_version > 0 ORDER BY stream_id COLLATE \"C\"",
            )
            .fetch_all(&database.pool)
            .await
            .unwrap();
            if versions.len() == 2 && versions.iter().all(|version| *version >= at_least) {
                return versions;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("both snapshots are kept")
}

/// From now on, whoever reads an event that is older than its stream's snapshot fails.
async fn spoil_what_is_older(database: &Database) {
    let spoil = "UPDATE store.events AS e SET event_type = 'WrittenByNobodyWeKnow' FROM store.snapshots AS s
                 WHERE s.stream_id = e.stream_id AND e.version < s.version";
    assert!(database.pool.execute(spoil).await.unwrap().rows_affected() > 2 * EVERY);
}

async fn change_snapshots(database: &Database, change: &str) {
    let sql = format!("UPDATE store.snapshots SET {change}");
    assert_eq!(database.pool.execute(AssertSqlSafe(sql)).await.unwrap().rows_affected(), 2);
}

/// Everything that was told is told again, and nothing is written for it; what is new is done.
async fn knows_it_all(database: &Database, mut lane: Lane, rounds: u128) {
    let before = history(database).await;
    for round in [0, rounds / 2, rounds - 1] {
        let repeats = vec![book(2 * round + 1, "A", How::Now), unbook(2 * round + 2, How::Now).undoing(2 * round + 1)];
        assert_eq!(lane.gets(repeats).await, 2);
    }
    assert_eq!(history(database).await, before, "repeats write nothing");
    live(&mut lane, rounds..rounds + 1).await;
    let flow = database.types_of(flow_stream(FLOW)).await;
    assert_eq!(flow[flow.len() - 2..], ["Booked", "Unbooked"]);
    assert_eq!(flow.len(), before.0.len() + 2);
}

async fn history(database: &Database) -> (Vec<String>, Vec<String>) {
    (database.types_of(flow_stream(FLOW)).await, database.types_of(seat_stream("A")).await)
}

#[tokio::test]
async fn a_long_stream_is_read_from_its_snapshot_and_stands_as_if_folded_from_its_first_event() {
    let database = Database::fresh().await;
    live(&mut database.lane_with(snapshotting(&database)).await, 0..ROUNDS).await;
    assert_eq!(kept(&database, 60).await, [60, 60], "one every ten events, the newest of each stream");
    // As it stands from the first event on: a lane that uses no snapshots says so.
    knows_it_all(&database, database.lane().await, ROUNDS).await;
    spoil_what_is_older(&database).await;
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS + 1).await;
    database.drop().await;
}

#[tokio::test]
async fn a_snapshot_of_another_form_is_ignored_and_taken_anew() {
    let database = Database::fresh().await;
    live(&mut database.lane_with(snapshotting(&database)).await, 0..ROUNDS).await;
    kept(&database, 60).await;
    // An older release's: its state would be misread.
    change_snapshots(&database, "state_version = 0, state = '{}'").await;
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS).await;
    kept(&database, 60).await;
    spoil_what_is_older(&database).await;
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS + 1).await;
    database.drop().await;
}

#[tokio::test]
async fn a_snapshot_that_is_ahead_of_its_stream_is_ignored() {
    let database = Database::fresh().await;
    live(&mut database.lane_with(snapshotting(&database)).await, 0..ROUNDS).await;
    kept(&database, 60).await;
    let ahead = "version = 1000, state = jsonb_set(state, '{at,version}', '1000')";
    change_snapshots(&database, ahead).await;
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS).await;
    database.drop().await;
}

#[tokio::test]
async fn whoever_dies_between_a_commit_and_its_snapshot_leaves_nothing_wrong() {
    let database = Database::fresh().await;
    // The task that takes snapshots lives in a process that is gone before it comes to any.
    let dying = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = {
        let _within = dying.enter();
        snapshotting(&database)
    };
    live(&mut database.lane_with(settings).await, 0..ROUNDS).await;
    dying.shutdown_background();
    let none: i64 = sqlx::query_scalar("SELECT count(*) FROM store.snapshots").fetch_one(&database.pool).await.unwrap();
    assert_eq!(none, 0);
    // Whoever comes next reads it all, and takes what was never taken.
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS).await;
    kept(&database, 60).await;
    spoil_what_is_older(&database).await;
    knows_it_all(&database, database.lane_with(snapshotting(&database)).await, ROUNDS + 1).await;
    database.drop().await;
}
