//! What every event store must do, whichever it is: one suite, run over each of them, so that tests on the store in
//! memory mean something for the real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite for tests: a failure is a panic")]

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::{AppendError, AppendRequest, Cursor, EventStore, ExpectedVersion, NewEvent, StreamId, StreamVersion};

/// Runs the whole suite. The store may hold other events: every stream used here is fresh.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn every_store_keeps_its_word(store: &dyn EventStore) {
    an_event_comes_back_as_it_was_appended(store).await;
    versions_count_events(store).await;
    an_unknown_stream_has_no_events(store).await;
    a_writer_that_comes_second_is_told_where_the_stream_is(store).await;
    several_streams_are_written_together_or_not_at_all(store).await;
    a_stream_that_was_only_read_must_stand_still(store).await;
    a_stream_named_twice_is_refused(store).await;
    an_event_is_stored_once(store).await;
    many_streams_are_read_at_once(store).await;
    the_global_order_is_read_in_pages(store).await;
}

/// A stream nobody has used.
#[must_use]
pub fn fresh(category: &'static str) -> StreamId {
    StreamId::of(category, Uuid::new_v4())
}

/// Some event.
#[must_use]
pub fn event(event_type: &str) -> NewEvent {
    NewEvent {
        event_id: Uuid::new_v4(),
        event_type: event_type.to_owned(),
        event_version: 2,
        aggregate_type: "Thing".to_owned(),
        occurred_at: DateTime::<Utc>::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
        correlation_id: Uuid::new_v4(),
        causation_id: Some(Uuid::new_v4()),
        user_id: Some("ada".to_owned()),
        data: json!({"amount": 12, "nested": {"list": [1, 2]}, "none": null}),
        metadata: json!({"source": "test"}),
    }
}

async fn append(store: &dyn EventStore, stream: &StreamId, expected: ExpectedVersion, types: &[&str]) {
    let events = types.iter().map(|name| event(name)).collect();
    store.append(AppendRequest::new().write(stream.clone(), expected, events)).await.unwrap();
}

async fn types_of(store: &dyn EventStore, stream: &StreamId, after: u64) -> Vec<String> {
    let events = store.load(stream, StreamVersion(after)).await.unwrap();
    events.into_iter().map(|stored| stored.event.event_type).collect()
}

async fn an_event_comes_back_as_it_was_appended(store: &dyn EventStore) {
    let stream = fresh("thing");
    let plain = NewEvent { causation_id: None, user_id: None, ..event("Plain") };
    let events = vec![event("Full"), plain];
    store.append(AppendRequest::new().write(stream.clone(), ExpectedVersion::NoStream, events.clone())).await.unwrap();
    let stored = store.load(&stream, StreamVersion::NONE).await.unwrap();
    assert_eq!(stored.iter().map(|stored| stored.event.clone()).collect::<Vec<_>>(), events);
    assert!(stored.iter().all(|stored| stored.stream == stream));
}

async fn versions_count_events(store: &dyn EventStore) {
    let stream = fresh("thing");
    append(store, &stream, ExpectedVersion::NoStream, &["A", "B"]).await;
    append(store, &stream, ExpectedVersion::Exact(StreamVersion(2)), &["C"]).await;
    append(store, &stream, ExpectedVersion::Any, &["D"]).await;
    let events = store.load(&stream, StreamVersion::NONE).await.unwrap();
    assert_eq!(events.iter().map(|stored| stored.version.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(types_of(store, &stream, 2).await, ["C", "D"]);
}

async fn an_unknown_stream_has_no_events(store: &dyn EventStore) {
    assert!(store.load(&fresh("thing"), StreamVersion::NONE).await.unwrap().is_empty());
}

async fn a_writer_that_comes_second_is_told_where_the_stream_is(store: &dyn EventStore) {
    let stream = fresh("thing");
    append(store, &stream, ExpectedVersion::NoStream, &["A", "B"]).await;
    for wrong in [ExpectedVersion::NoStream, ExpectedVersion::Exact(StreamVersion(1))] {
        let request = AppendRequest::new().write(stream.clone(), wrong, vec![event("C")]);
        match store.append(request).await {
            Err(AppendError::Conflict { stream: at, expected, actual }) => {
                assert_eq!((at, expected, actual), (stream.clone(), wrong, StreamVersion(2)));
            }
            other => panic!("a conflict was expected, not {other:?}"),
        }
    }
    assert_eq!(types_of(store, &stream, 0).await, ["A", "B"]);
}

async fn several_streams_are_written_together_or_not_at_all(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    append(store, &other, ExpectedVersion::NoStream, &["Taken"]).await;
    let request = |expected| {
        AppendRequest::new().write(one.clone(), ExpectedVersion::NoStream, vec![event("A")]).write(
            other.clone(),
            expected,
            vec![event("B")],
        )
    };
    let refused = store.append(request(ExpectedVersion::NoStream)).await;
    assert!(matches!(refused, Err(AppendError::Conflict { .. })), "{refused:?}");
    assert!(types_of(store, &one, 0).await.is_empty());

    let appended = store.append(request(ExpectedVersion::Exact(StreamVersion(1)))).await.unwrap();
    let heads = [(one.clone(), StreamVersion(1)), (other.clone(), StreamVersion(2))].into();
    assert_eq!(appended.heads, heads);
    assert_eq!(types_of(store, &other, 1).await, ["B"]);
}

async fn a_stream_that_was_only_read_must_stand_still(store: &dyn EventStore) {
    let (written, read, unborn) = (fresh("thing"), fresh("thing"), fresh("thing"));
    append(store, &read, ExpectedVersion::NoStream, &["A"]).await;
    let request = |version| {
        AppendRequest::new()
            .write(written.clone(), ExpectedVersion::Any, vec![event("B")])
            .read(read.clone(), StreamVersion(version))
            .read(unborn.clone(), StreamVersion::NONE)
    };
    store.append(request(1)).await.unwrap();
    append(store, &read, ExpectedVersion::Exact(StreamVersion(1)), &["Moved"]).await;
    let refused = store.append(request(1)).await;
    assert!(matches!(refused, Err(AppendError::Conflict { ref stream, .. }) if *stream == read), "{refused:?}");
    assert_eq!(types_of(store, &written, 0).await, ["B"]);
    append(store, &unborn, ExpectedVersion::NoStream, &["Born"]).await;
}

async fn a_stream_named_twice_is_refused(store: &dyn EventStore) {
    let stream = fresh("thing");
    let request = AppendRequest::new()
        .write(stream.clone(), ExpectedVersion::Any, vec![event("A")])
        .read(stream.clone(), StreamVersion::NONE);
    let refused = store.append(request).await;
    assert!(matches!(refused, Err(AppendError::Repeated { .. })), "{refused:?}");
}

async fn an_event_is_stored_once(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    let same = event("A");
    let request =
        |stream: &StreamId| AppendRequest::new().write(stream.clone(), ExpectedVersion::NoStream, vec![same.clone()]);
    store.append(request(&one)).await.unwrap();
    let refused = store.append(request(&other)).await;
    assert!(matches!(refused, Err(AppendError::DuplicateEvent { .. })), "{refused:?}");
    assert!(types_of(store, &other, 0).await.is_empty());
}

async fn many_streams_are_read_at_once(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    append(store, &one, ExpectedVersion::NoStream, &["A", "B"]).await;
    append(store, &other, ExpectedVersion::NoStream, &["C", "D", "E"]).await;
    let asked =
        [(one.clone(), StreamVersion::NONE), (other.clone(), StreamVersion(1)), (fresh("thing"), StreamVersion(0))];
    let events = store.load_many(&asked).await.unwrap();
    let of = |stream: &StreamId| {
        let of_stream = events.iter().filter(|stored| stored.stream == *stream);
        of_stream.map(|stored| stored.event.event_type.clone()).collect::<Vec<_>>()
    };
    assert_eq!((of(&one), of(&other)), (vec!["A".to_owned(), "B".into()], vec!["D".to_owned(), "E".into()]));
    assert_eq!(events.len(), 4);
}

async fn the_global_order_is_read_in_pages(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    append(store, &one, ExpectedVersion::NoStream, &["A", "B"]).await;
    append(store, &other, ExpectedVersion::NoStream, &["C"]).await;
    append(store, &one, ExpectedVersion::Any, &["Last"]).await;
    let (mut at, mut seen) = (Cursor::default(), Vec::new());
    // Whatever else runs on the server may hold the order back for a moment: an empty page is not yet the end.
    for _ in 0..100_000 {
        let page = store.read_all(at, 3).await.unwrap();
        assert!(page.events.len() <= 3);
        at = page.next;
        seen.extend(page.events);
        if seen.last().is_some_and(|last| last.event.event_type == "Last") {
            break;
        }
    }
    assert_eq!(store.read_all(at, 3).await.unwrap().next, at, "at the end a reader stays where it is");
    assert!(seen.windows(2).all(|pair| pair[0].cursor < pair[1].cursor));
    let ours = seen.iter().filter(|stored| stored.stream == one || stored.stream == other);
    assert_eq!(ours.map(|stored| stored.event.event_type.as_str()).collect::<Vec<_>>(), ["A", "B", "C", "Last"]);
}
