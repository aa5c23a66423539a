//! Aggregates: recovered from memory, snapshots and events, all the same; as they were; and read through upcasters.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

use std::sync::Arc;

use backstitch_event_store::upcaster::{DATA_LOSS, Step, UPCASTED_FROM, Upcasters};
use backstitch_event_store::{
    Aggregate, Aggregates, AppendRequest, AsOf, Cursor, DecideError, EventData, EventStore, ExpectedVersion, Flow,
    LoadError, MemorySnapshots, MemoryStore, NewEvent, RetryPolicy, Selection, Slice, Snapshot, SnapshotStore as _,
    StreamId, StreamVersion, Subscription, UpcastingStore, contract,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What happens to a counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum CounterEvent {
    Raised { by: u64 },
    Reset,
}

impl EventData for CounterEvent {
    fn event_version(&self) -> i32 {
        2
    }
}

macro_rules! counter {
    ($name:ident, $form:literal) => {
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        struct $name {
            sum: u64,
        }

        impl Aggregate for $name {
            type Event = CounterEvent;
            const NAME: &'static str = "Counter";
            const STATE_VERSION: i32 = $form;
            const SNAPSHOT_EVERY: u64 = 10;

            fn apply(&mut self, event: &CounterEvent) {
                match event {
                    CounterEvent::Raised { by } => self.sum += by,
                    CounterEvent::Reset => self.sum = 0,
                }
            }
        }
    };
}

counter!(Counter, 1);
counter!(NewCounter, 2);

struct Desk {
    store: Arc<MemoryStore>,
    snapshots: Arc<MemorySnapshots>,
    stream: StreamId,
}

impl Desk {
    fn new() -> Self {
        Self { store: Arc::default(), snapshots: Arc::default(), stream: contract::fresh("counter") }
    }

    fn fresh<A: Aggregate>(&self) -> Aggregates<A> {
        Aggregates::new(self.store.clone(), self.snapshots.clone())
    }

    async fn raise<A: Aggregate<Event = CounterEvent>>(&self, counters: &Aggregates<A>, times: u64) {
        for _ in 0..times {
            let raise = |_: &A| Ok::<_, std::convert::Infallible>(vec![CounterEvent::Raised { by: 1 }]);
            let flow = Flow::begun_by(Uuid::new_v4());
            counters.decide(&self.stream, &flow, &RetryPolicy::default(), raise).await.unwrap();
        }
    }

    /// Snapshots are taken beside the way: this waits for one that is to come.
    async fn snapshot(&self, is_it: impl Fn(&Snapshot) -> bool) -> Snapshot {
        loop {
            match self.snapshots.newest(&self.stream).await.unwrap() {
                Some(snapshot) if is_it(&snapshot) => return snapshot,
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

#[tokio::test]
async fn a_snapshot_is_taken_every_so_many_events_and_recovery_begins_there() {
    let desk = Desk::new();
    desk.raise(&desk.fresh::<Counter>(), 25).await;
    let snapshot = desk.snapshot(|it| it.version == StreamVersion(20)).await;
    assert_eq!((snapshot.state_version, snapshot.state), (1, json!({"sum": 20})));
    // Were it folded from the first event, it would not say 105.
    let fooled = Snapshot { version: StreamVersion(21), state: json!({"sum": 101}), ..desk.snapshot(|_| true).await };
    desk.snapshots.keep(fooled).await.unwrap();
    let recovered = desk.fresh::<Counter>().load(&desk.stream).await.unwrap();
    assert_eq!((recovered.state.sum, recovered.version), (105, StreamVersion(25)));
}

#[tokio::test]
async fn a_snapshot_of_another_form_is_ignored_and_taken_anew() {
    let desk = Desk::new();
    desk.raise(&desk.fresh::<Counter>(), 10).await;
    let old = desk.snapshot(|_| true).await;
    desk.snapshots.keep(Snapshot { version: StreamVersion(11), state: json!({"sum": 999}), ..old }).await.unwrap();
    let recovered = desk.fresh::<NewCounter>().load(&desk.stream).await.unwrap();
    assert_eq!(recovered.state.sum, 10);
    let new = desk.snapshot(|it| it.state_version == 2).await;
    assert_eq!((new.version, new.state), (StreamVersion(10), json!({"sum": 10})));
    // The old release runs on beside the new one, and leaves its snapshot alone.
    desk.raise(&desk.fresh::<Counter>(), 20).await;
    assert_eq!(desk.fresh::<Counter>().load(&desk.stream).await.unwrap().state.sum, 30);
    assert_eq!(desk.snapshot(|_| true).await.state_version, 2);
}

#[tokio::test]
async fn an_unreadable_snapshot_does_no_harm() {
    let desk = Desk::new();
    desk.raise(&desk.fresh::<Counter>(), 3).await;
    let broken =
        Snapshot { stream: desk.stream.clone(), version: StreamVersion(3), state_version: 1, state: json!([]) };
    desk.snapshots.keep(broken).await.unwrap();
    assert_eq!(desk.fresh::<Counter>().load(&desk.stream).await.unwrap().state.sum, 3);
}

#[tokio::test]
async fn what_is_in_memory_is_brought_up_to_date_and_bounded() {
    let desk = Desk::new();
    let (ours, theirs) = (desk.fresh::<Counter>().caching(1), desk.fresh::<Counter>());
    desk.raise(&ours, 2).await;
    desk.raise(&theirs, 3).await;
    assert_eq!(ours.load(&desk.stream).await.unwrap().state.sum, 5);
    // Another aggregate takes the only place.
    assert_eq!(ours.load(&contract::fresh("counter")).await.unwrap().version, StreamVersion::NONE);
    assert_eq!(ours.load(&desk.stream).await.unwrap().state.sum, 5);
}

#[tokio::test]
async fn deciders_that_meet_lose_no_event() {
    let desk = Arc::new(Desk::new());
    let counters = Arc::new(desk.fresh::<Counter>());
    let deciders = (0..16).map(|_| {
        let (desk, counters) = (desk.clone(), counters.clone());
        tokio::spawn(async move { desk.raise(&counters, 5).await })
    });
    for decider in deciders.collect::<Vec<_>>() {
        decider.await.unwrap();
    }
    assert_eq!(desk.fresh::<Counter>().load(&desk.stream).await.unwrap().state.sum, 80);
    assert_eq!(counters.load(&desk.stream).await.unwrap().state.sum, 80);
}

#[tokio::test]
async fn an_aggregate_is_shown_as_it_was_after_an_event_or_at_a_time() {
    let desk = Desk::new();
    let morning = DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap();
    let flow = Flow::begun_by(Uuid::new_v4());
    let events = (0..30).map(|nth| {
        let event = if nth == 29 { CounterEvent::Reset } else { CounterEvent::Raised { by: 1 } };
        flow.event(nth, &desk.stream, &event, morning + TimeDelta::minutes(i64::try_from(nth).unwrap())).unwrap()
    });
    let request = AppendRequest::new().write(desk.stream.clone(), ExpectedVersion::NoStream, events.collect());
    desk.store.append(request).await.unwrap();
    let counters = desk.fresh::<Counter>();
    counters.load(&desk.stream).await.unwrap();
    desk.snapshot(|it| it.version == StreamVersion(30)).await;
    let sum = async |as_of| counters.as_of(&desk.stream, as_of).await.unwrap().state.sum;
    assert_eq!(sum(AsOf::Version(StreamVersion(7))).await, 7);
    assert_eq!(sum(AsOf::Version(StreamVersion(99))).await, 0);
    assert_eq!(sum(AsOf::Time(morning - TimeDelta::seconds(1))).await, 0);
    assert_eq!(sum(AsOf::Time(morning + TimeDelta::seconds(90))).await, 2);
    assert_eq!(sum(AsOf::Time(morning + TimeDelta::minutes(28))).await, 29);
}

#[tokio::test]
async fn an_event_that_is_not_understood_is_named() {
    let desk = Desk::new();
    let strange =
        AppendRequest::new().write(desk.stream.clone(), ExpectedVersion::Any, vec![contract::event("Strange")]);
    desk.store.append(strange).await.unwrap();
    let error = desk.fresh::<Counter>().load(&desk.stream).await.unwrap_err();
    assert!(matches!(error, LoadError::Data { version: StreamVersion(1), .. }), "{error}");
    let (counters, flow) = (desk.fresh::<Counter>(), Flow::begun_by(Uuid::new_v4()));
    let decide = |_: &Counter| Err::<Vec<CounterEvent>, _>(std::fmt::Error);
    let decided = counters.decide(&desk.stream, &flow, &RetryPolicy::default(), decide).await;
    assert!(matches!(decided, Err(DecideError::Read(_))));
}

/// `Raised` had no amount once: it always was one.
const CHAIN: Upcasters = Upcasters::of(&[Step {
    event_type: "Raised",
    from: 1,
    upcast: |mut data, _| {
        data.insert("by".to_owned(), Value::from(1));
        data
    },
    lost: "by (read as 1)",
}]);

#[tokio::test]
async fn a_stream_of_mixed_versions_reads_as_one_wherever_it_is_read() {
    let desk = Desk::new();
    let raised = |version, data| NewEvent { event_version: version, data, ..contract::event("Raised") };
    let unknown_field = json!({"by": 5, "told by": "a newer writer"});
    let events =
        vec![raised(1, json!({})), raised(2, json!({"by": 3})), raised(1, json!({})), raised(2, unknown_field)];
    let old = events[0].event_id;
    desk.store.append(AppendRequest::new().write(desk.stream.clone(), ExpectedVersion::Any, events)).await.unwrap();
    let store: Arc<dyn EventStore> = Arc::new(UpcastingStore::new(desk.store.clone(), CHAIN));
    let counters = Aggregates::<Counter>::new(store.clone(), desk.snapshots.clone());
    assert_eq!(counters.load(&desk.stream).await.unwrap().state.sum, 10);

    let mut subscription = Subscription::new("test", store.clone(), Selection::All, Cursor::default());
    let followed = subscription.next().await.unwrap().events;
    let newest_first = store.read_stream(&desk.stream, Slice::Newest, 9).await.unwrap();
    let by_id = store.event(old).await.unwrap().unwrap();
    for events in [followed, newest_first, vec![by_id.clone()]] {
        assert!(events.iter().all(|stored| stored.event.event_version == 2 && stored.event.data["by"].is_u64()));
    }
    assert_eq!(
        (&by_id.event.metadata[UPCASTED_FROM], &by_id.event.metadata[DATA_LOSS]),
        (&json!("1"), &json!("by (read as 1)"))
    );
    assert_eq!(by_id.event.metadata["source"], "test");
    // What is stored stays as it was written.
    assert_eq!(desk.store.event(old).await.unwrap().unwrap().event.event_version, 1);
}

#[tokio::test]
async fn a_store_seen_through_upcasters_keeps_its_word() {
    contract::every_store_keeps_its_word(Arc::new(UpcastingStore::new(Arc::new(MemoryStore::new()), CHAIN))).await;
}
