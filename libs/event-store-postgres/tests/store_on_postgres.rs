//! The suite of all stores over Postgres, and what only a real database can show. Needs a server: `POSTGRES_ADMIN_URL`,
//! as the local stack writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_event_store::{
    AppendError, AppendRequest, Cursor, EventStore as _, ExpectedVersion, StreamId, StreamVersion, contract,
};
use sqlx::Executor as _;
use support::Database;

#[tokio::test]
async fn the_store_on_postgres_keeps_its_word() {
    let database = Database::fresh().await;
    contract::every_store_keeps_its_word(Arc::new(database.store())).await;
    database.drop().await;
}

#[tokio::test]
async fn of_many_writers_of_one_version_exactly_one_wins() {
    let database = Database::fresh().await;
    let stream = contract::fresh("thing");
    let attempts = (0..16).map(|_| {
        let (store, stream) = (database.store(), stream.clone());
        tokio::spawn(async move {
            let request = AppendRequest::new().write(stream, ExpectedVersion::NoStream, vec![contract::event("A")]);
            store.append(request).await
        })
    });
    let mut won = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(AppendError::Conflict { actual, .. }) => assert_eq!(actual, StreamVersion(1)),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    database.drop().await;
}

#[tokio::test]
async fn writers_of_overlapping_streams_lose_no_event_and_never_deadlock() {
    let database = Database::fresh().await;
    let streams: Vec<StreamId> = (0..6).map(|_| contract::fresh("stock")).collect();
    let writers = (0..8).map(|writer: usize| {
        let (store, streams) = (database.store(), streams.clone());
        tokio::spawn(async move {
            for round in 0..10 {
                let mut request = AppendRequest::new();
                // Named in another order by each writer; locked in one order by the store.
                for step in 0..3 {
                    let stream = streams[(writer + round + 5 * step) % streams.len()].clone();
                    request = request.write(stream, ExpectedVersion::Any, vec![contract::event("Taken")]);
                }
                store.append(request).await.expect("no deadlock");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let asked: Vec<_> = streams.iter().map(|stream| (stream.clone(), StreamVersion::NONE)).collect();
    let events = database.store().load_many(&asked).await.unwrap();
    assert_eq!(events.len(), 8 * 10 * 3);
    let places: BTreeSet<_> = events.iter().map(|stored| (stored.stream.clone(), stored.version)).collect();
    assert_eq!(places.len(), events.len());
    database.drop().await;
}

#[tokio::test]
async fn two_writers_that_read_each_others_stream_cannot_both_win() {
    let database = Database::fresh().await;
    for _ in 0..20 {
        let (one, other) = (contract::fresh("doctor"), contract::fresh("doctor"));
        let leave = |leaving: &StreamId, staying: &StreamId| {
            let store = database.store();
            let request = AppendRequest::new()
                .write(leaving.clone(), ExpectedVersion::NoStream, vec![contract::event("Left")])
                .read(staying.clone(), StreamVersion::NONE);
            tokio::spawn(async move { store.append(request).await.is_ok() })
        };
        let (first, second) = (leave(&one, &other), leave(&other, &one));
        assert!(first.await.unwrap() != second.await.unwrap());
    }
    database.drop().await;
}

#[tokio::test]
async fn a_reader_never_passes_a_transaction_that_commits_late() {
    let database = Database::fresh().await;
    let store = database.store();
    let insert = "INSERT INTO store.events (transaction_id, stream_id, version, event_id, event_type, event_version,
                                            aggregate_type, occurred_at, correlation_id, data, metadata)
                  VALUES (pg_current_xact_id()::text::bigint, 'thing-slow', 1, gen_random_uuid(), 'Slow', 1, 'Thing', now(), gen_random_uuid(), '{}', '{}')";
    let mut slow = database.pool.begin().await.unwrap();
    slow.execute(insert).await.unwrap();
    let quick = contract::fresh("thing");
    let request = AppendRequest::new().write(quick, ExpectedVersion::NoStream, vec![contract::event("Quick")]);
    store.append(request).await.unwrap();

    let before = store.read_all(Cursor::default(), 10).await.unwrap();
    assert!(before.events.is_empty(), "the slow one is not to be passed: {before:?}");
    slow.commit().await.unwrap();
    // Whatever else runs on the server may hold the order back for a moment.
    let mut events = Vec::new();
    while events.len() < 2 {
        events = store.read_all(before.next, 10).await.unwrap().events;
    }
    let types: Vec<_> = events.iter().map(|stored| stored.event.event_type.as_str()).collect();
    assert_eq!(types, ["Slow", "Quick"]);
    database.drop().await;
}
