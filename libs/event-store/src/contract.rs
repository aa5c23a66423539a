//! What every event store must do, whichever it is: one suite, run over each of them, so that tests on the store in
//! memory mean something for the real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite for tests: a failure is a panic")]

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use uuid::Uuid;

use crate::{
    AppendError, AppendRequest, Cursor, EVENTS_MAX, EventStore, ExpectedVersion, Lag, NewEvent, Selection, Share,
    Slice, StoredEvent, StreamId, StreamVersion, Subscription, SubscriptionSettings, all_events, events_of,
};

/// Runs the whole suite. The store may hold other events: every stream used here is fresh.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn every_store_keeps_its_word(store: Arc<dyn EventStore>) {
    let following = Arc::clone(&store);
    let store = &*store;
    an_event_comes_back_as_it_was_appended(store).await;
    versions_count_events(store).await;
    an_unknown_stream_has_no_events(store).await;
    a_writer_that_comes_second_is_told_where_the_stream_is(store).await;
    several_streams_are_written_together_or_not_at_all(store).await;
    a_stream_that_was_only_read_must_stand_still(store).await;
    a_stream_named_twice_is_refused(store).await;
    an_event_is_stored_once(store).await;
    the_same_append_again_answers_what_it_answered(store).await;
    appends_that_come_together_are_judged_apart(store).await;
    an_append_beyond_the_limits_is_refused(store).await;
    many_streams_are_read_at_once(store).await;
    a_stream_is_read_in_pages_in_both_directions(store).await;
    the_global_order_is_read_in_pages(store).await;
    the_global_order_is_read_by_type_category_and_flow(store).await;
    shares_of_the_order_are_whole_streams_and_come_to_all_of_it(store).await;
    an_event_is_found_by_its_id(store).await;
    a_subscription_catches_up_and_then_follows(following.clone()).await;
    a_subscription_begins_where_it_is_told_to(following).await;
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
    assert!(
        matches!(refused, Err(AppendError::DuplicateEvent { event_id }) if event_id == same.event_id),
        "{refused:?}"
    );
    let twice = AppendRequest::new().write(other.clone(), ExpectedVersion::Any, vec![event("B"), same.clone()]);
    assert!(matches!(store.append(twice).await, Err(AppendError::DuplicateEvent { .. })));
    let at_once = AppendRequest::new().write(other.clone(), ExpectedVersion::Any, vec![same.clone(), same.clone()]);
    assert!(matches!(store.append(at_once).await, Err(AppendError::DuplicateEvent { .. })));
    assert!(types_of(store, &other, 0).await.is_empty());
}

async fn the_same_append_again_answers_what_it_answered(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    let request = AppendRequest::new()
        .write(one.clone(), ExpectedVersion::NoStream, vec![event("A"), event("B")])
        .write(other.clone(), ExpectedVersion::Any, vec![event("C")]);
    let first = store.append(request.clone()).await.unwrap();
    append(store, &one, ExpectedVersion::Any, &["Later"]).await;
    assert_eq!(store.append(request.clone()).await.unwrap(), first);
    // Together with its like, and with something new.
    let new = AppendRequest::new().write(fresh("thing"), ExpectedVersion::NoStream, vec![event("D")]);
    let verdicts = store.append_each(vec![request.clone(), new.clone(), new.clone(), request]).await;
    let verdicts: Vec<_> = verdicts.into_iter().map(Result::unwrap).collect();
    assert_eq!((&verdicts[0], &verdicts[3]), (&first, &first));
    assert_eq!(verdicts[1], verdicts[2]);
    assert_eq!(types_of(store, &one, 0).await, ["A", "B", "Later"]);
    assert_eq!(types_of(store, &other, 0).await, ["C"]);
}

async fn appends_that_come_together_are_judged_apart(store: &dyn EventStore) {
    let (one, other) = (fresh("thing"), fresh("thing"));
    let write =
        |stream: &StreamId, expected, name| AppendRequest::new().write(stream.clone(), expected, vec![event(name)]);
    let broken = NewEvent { data: json!("\u{0}"), user_id: Some("\u{0}".to_owned()), ..event("Broken") };
    let requests = vec![
        write(&one, ExpectedVersion::NoStream, "A"),
        write(&one, ExpectedVersion::NoStream, "Too late"),
        write(&one, ExpectedVersion::Exact(StreamVersion(1)), "B"),
        AppendRequest::new().write(other.clone(), ExpectedVersion::Any, vec![broken]),
        write(&other, ExpectedVersion::Any, "C").read(one.clone(), StreamVersion(2)),
        write(&other, ExpectedVersion::Any, "Blind").read(one.clone(), StreamVersion(1)),
    ];
    let verdicts = store.append_each(requests).await;
    assert_eq!(verdicts.len(), 6);
    assert_eq!(verdicts[0].as_ref().unwrap().heads[&one], StreamVersion(1));
    assert!(matches!(verdicts[1], Err(AppendError::Conflict { actual: StreamVersion(1), .. })), "{verdicts:?}");
    assert_eq!(verdicts[2].as_ref().unwrap().heads[&one], StreamVersion(2));
    assert!(verdicts[4].is_ok(), "{verdicts:?}");
    assert!(matches!(verdicts[5], Err(AppendError::Conflict { ref stream, .. }) if *stream == one), "{verdicts:?}");
    assert_eq!(types_of(store, &one, 0).await, ["A", "B"]);
    // Whether a store takes text that Postgres cannot hold is its own matter; that others suffer from it is not.
    assert_eq!(types_of(store, &other, 0).await.last().unwrap(), "C");
}

async fn an_append_beyond_the_limits_is_refused(store: &dyn EventStore) {
    let events = (0..=EVENTS_MAX).map(|_| event("A")).collect();
    let refused = store.append(AppendRequest::new().write(fresh("thing"), ExpectedVersion::Any, events)).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { streams: 1, .. })), "{refused:?}");
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

async fn a_stream_is_read_in_pages_in_both_directions(store: &dyn EventStore) {
    let stream = fresh("thing");
    append(store, &stream, ExpectedVersion::NoStream, &["A", "B", "C", "D", "E"]).await;
    let types = |events: Vec<StoredEvent>| events.into_iter().map(|it| it.event.event_type).collect::<Vec<_>>();
    let page = async |slice| store.read_stream(&stream, slice, 2).await.unwrap();
    assert_eq!(types(page(Slice::BEGINNING).await), ["A", "B"]);
    assert_eq!(types(page(Slice::BEGINNING.following(&page(Slice::BEGINNING).await)).await), ["C", "D"]);
    assert_eq!(types(page(Slice::Newest).await), ["E", "D"]);
    assert_eq!(types(page(Slice::Newest.following(&page(Slice::Newest).await)).await), ["C", "B"]);
    assert_eq!(types(page(Slice::Before(StreamVersion(2))).await), ["A"]);
    assert!(page(Slice::After(StreamVersion(5))).await.is_empty());
    for (slice, expected) in [(Slice::BEGINNING, "A B C D E"), (Slice::Newest, "E D C B A")] {
        let events = events_of(store, stream.clone(), slice, 2).try_collect().await.unwrap();
        assert_eq!(types(events).join(" "), expected);
    }
    assert_eq!(store.head(&stream).await.unwrap(), StreamVersion(5));
    assert_eq!(store.head(&fresh("thing")).await.unwrap(), StreamVersion::NONE);
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

/// Reads on until `count` events were seen: whatever else runs on the server may hold the order back for a moment.
async fn selected(store: &dyn EventStore, selection: &Selection, after: Cursor, count: usize) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    for _ in 0..100_000 {
        events = all_events(store, selection, after, 2).try_collect().await.unwrap();
        if events.len() >= count {
            break;
        }
    }
    events
}

async fn the_global_order_is_read_by_type_category_and_flow(store: &dyn EventStore) {
    let unique = |what: &str| format!("{what}{}", Uuid::new_v4().simple());
    let (left, right, category) = (unique("Left"), unique("Right"), unique("c"));
    let inside = StreamId::parse(format!("{category}-1-with-hyphens")).unwrap();
    let outside = fresh("thing");
    append(store, &inside, ExpectedVersion::NoStream, &[&left, "Straight", &right]).await;
    append(store, &outside, ExpectedVersion::NoStream, &[&right, &left]).await;
    let stored = store.load_many(&[(inside.clone(), StreamVersion(0)), (outside, StreamVersion(0))]).await.unwrap();

    let types = |events: &[StoredEvent]| events.iter().map(|it| it.event.event_type.clone()).collect::<Vec<_>>();
    let by_type = selected(store, &Selection::types([&left, &right]), Cursor::default(), 4).await;
    assert_eq!(types(&by_type), [&left, &right, &right, &left].map(Clone::clone));
    let by_type = selected(store, &Selection::types([&right]), by_type[1].cursor, 1).await;
    assert_eq!(by_type.iter().map(|it| it.event.event_id).collect::<Vec<_>>(), [stored[3].event.event_id]);
    let by_category = selected(store, &Selection::categories([&category]), Cursor::default(), 3).await;
    assert_eq!(types(&by_category), [&left, "Straight", &right].map(ToString::to_string));
    let flow = Selection::Correlation(stored[1].event.correlation_id);
    assert_eq!(selected(store, &flow, Cursor::default(), 1).await, [stored[1].clone()]);
    assert!(selected(store, &Selection::Types(BTreeSet::new()), Cursor::default(), 0).await.is_empty());
}

async fn shares_of_the_order_are_whole_streams_and_come_to_all_of_it(store: &dyn EventStore) {
    let category = format!("c{}", Uuid::new_v4().simple());
    for key in 0..12 {
        let stream = StreamId::parse(format!("{category}-{key}")).unwrap();
        append(store, &stream, ExpectedVersion::NoStream, &["A", "B"]).await;
    }
    let all = selected(store, &Selection::categories([&category]), Cursor::default(), 24).await;
    let mut shared_out = Vec::new();
    for nth in 0..3 {
        let of = NonZeroU32::new(3).unwrap();
        let share = Share { categories: [category.clone()].into(), nth, of };
        let events = selected(store, &Selection::Share(share), Cursor::default(), 0).await;
        let streams: BTreeSet<_> = events.iter().map(|stored| &stored.stream).collect();
        assert_eq!(events.len(), 2 * streams.len(), "whole streams");
        assert!(events.is_sorted_by_key(|stored| stored.cursor), "in the order of all");
        shared_out.extend(events);
    }
    shared_out.sort_by_key(|stored| stored.cursor);
    assert_eq!(shared_out, all, "each event in one of them");
}

async fn an_event_is_found_by_its_id(store: &dyn EventStore) {
    let stream = fresh("thing");
    append(store, &stream, ExpectedVersion::NoStream, &["A", "B"]).await;
    let stored = store.load(&stream, StreamVersion(1)).await.unwrap();
    assert_eq!(store.event(stored[0].event.event_id).await.unwrap().as_ref(), stored.first());
    assert_eq!(store.event(Uuid::new_v4()).await.unwrap(), None);
}

fn impatient() -> SubscriptionSettings {
    SubscriptionSettings { page_max: 2, poll_interval: Duration::from_millis(20), lag_interval: Duration::ZERO }
}

async fn a_subscription_catches_up_and_then_follows(store: Arc<dyn EventStore>) {
    let stream = fresh("followed");
    let name = format!("Followed{}", Uuid::new_v4().simple());
    append(&*store, &stream, ExpectedVersion::NoStream, &[&name, "Other", &name, &name]).await;
    let selection = Selection::types([&name]);
    let subscription =
        Subscription::new("contract", store.clone(), selection.clone(), Cursor::default()).with(impatient());
    let mut events = Box::pin(subscription.into_stream());
    let mut versions = Vec::new();
    for _ in 0..3 {
        versions.push(events.next().await.unwrap().unwrap().version.0);
    }
    // The reader is there first, and waits.
    let waiting = tokio::spawn(async move { events.next().await.unwrap().unwrap() });
    tokio::task::yield_now().await;
    append(&*store, &stream, ExpectedVersion::Any, &["Other", &name]).await;
    let last = waiting.await.unwrap();
    versions.push(last.version.0);
    assert_eq!(versions, [1, 3, 4, 6]);
    assert_eq!(store.lag(&selection, last.cursor).await.unwrap(), Lag::default());
    let behind = store.lag(&selection, Cursor::default()).await.unwrap();
    assert!(behind.events >= 4 && behind.oldest_unread_at == Some(last.event.occurred_at), "{behind:?}");
}

async fn a_subscription_begins_where_it_is_told_to(store: Arc<dyn EventStore>) {
    let stream = fresh("followed");
    append(&*store, &stream, ExpectedVersion::NoStream, &["Before"]).await;
    let appended = store.load(&stream, StreamVersion::NONE).await.unwrap()[0].cursor;
    while store.end().await.unwrap() < appended {
        tokio::task::yield_now().await;
    }
    let end = store.end().await.unwrap();
    let request = AppendRequest::new().write(stream.clone(), ExpectedVersion::Any, vec![event("After")]);
    let after = store.append(request).await.unwrap();
    let mut subscription =
        Subscription::new("contract", store, Selection::categories(["followed"]), end).with(impatient());
    let mut page = subscription.next().await.unwrap();
    while page.events.iter().all(|it| it.stream != stream) {
        page = subscription.next().await.unwrap();
    }
    let seen: Vec<_> = page.events.iter().filter(|it| it.stream == stream).collect();
    assert_eq!(seen.iter().map(|it| it.event.event_type.as_str()).collect::<Vec<_>>(), ["After"]);
    assert_eq!(seen[0].cursor, after.cursor);
}
