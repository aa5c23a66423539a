//! Reading: an aggregate of ten thousand events, from its snapshot and from its first event; and all events in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use backstitch_event_store::{
    Aggregate, Aggregates, AppendRequest, Cursor, EventData, EventStore, ExpectedVersion, MemorySnapshots, NewEvent,
    ReadError, Selection, Snapshot, SnapshotStore, StreamId, Subscription,
};
use backstitch_event_store_postgres::PostgresSnapshots;
use backstitch_measure::figures::Row;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::appends::event;
use crate::database::Database;

const EVENTS: u64 = 10_000;
const FROM_SNAPSHOT: usize = 300;
const FROM_EVENTS: usize = 20;
/// Events in the store, so that a snapshot of some state and what follows it are both of a usual size.
const AFTER_THE_SNAPSHOT: u64 = 99;
const FOLLOWED: u64 = 200_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Counted {
    Raised { by: u64, note: String },
}

impl EventData for Counted {}

/// A state that grows to a few kilobytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counter {
    sum: u64,
    notes: Vec<String>,
}

impl Aggregate for Counter {
    type Event = Counted;
    const NAME: &'static str = "Counter";
    const STATE_VERSION: i32 = 1;

    fn apply(&mut self, event: &Counted) {
        let Counted::Raised { by, note } = event;
        self.sum += by;
        if self.sum.is_multiple_of(100) {
            self.notes.push(note.clone());
        }
    }
}

fn raised() -> NewEvent {
    NewEvent {
        event_type: "Raised".to_owned(),
        data: json!({"by": 1, "note": "as the customer asked for on the phone"}),
        ..event()
    }
}

pub(crate) async fn measure(database: &Database) -> Result<Vec<Row>> {
    let store: Arc<dyn EventStore> = Arc::new(database.store());
    let snapshots: Arc<dyn SnapshotStore> = Arc::new(PostgresSnapshots::new(database.pool.clone()));
    let stream = StreamId::of("counter", 1);
    write(&*store, &stream, EVENTS - AFTER_THE_SNAPSHOT).await?;
    Aggregates::<Counter>::new(store.clone(), snapshots.clone()).load(&stream).await?;
    while snapshots.newest(&stream).await?.is_none() {
        tokio::task::yield_now().await;
    }
    write(&*store, &stream, AFTER_THE_SNAPSHOT).await?;

    let from_snapshot = recover(&store, &snapshots, &stream, FROM_SNAPSHOT).await?;
    let none: Arc<dyn SnapshotStore> = Arc::new(MemorySnapshots::default());
    let from_events = recover(&store, &none, &stream, FROM_EVENTS).await?;
    Ok(vec![
        named("recovery of 10,000 events, snapshot and 99 events", from_snapshot),
        named("recovery of 10,000 events, from the first", from_events),
        catch_up(&store).await?,
    ])
}

fn named(name: &'static str, times: Vec<Duration>) -> Row {
    let window = times.iter().sum();
    Row::of(name, "recoveries", times.len() as u64, window, times)
}

async fn write(store: &dyn EventStore, stream: &StreamId, count: u64) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let now = left.min(1_000);
        let events = (0..now).map(|_| raised()).collect();
        store.append(AppendRequest::new().write(stream.clone(), ExpectedVersion::Any, events)).await?;
        left -= now;
    }
    Ok(())
}

/// Each time with nothing in memory.
async fn recover(
    store: &Arc<dyn EventStore>,
    snapshots: &Arc<dyn SnapshotStore>,
    stream: &StreamId,
    times: usize,
) -> Result<Vec<Duration>> {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let fresh: Arc<dyn SnapshotStore> = Arc::new(ReadOnly(snapshots.clone()));
        let aggregates = Aggregates::<Counter>::new(store.clone(), fresh);
        let began = Instant::now();
        let recovered = aggregates.load(stream).await?;
        taken.push(began.elapsed());
        anyhow::ensure!(recovered.state.sum == EVENTS, "recovered {} of {EVENTS} events", recovered.state.sum);
    }
    Ok(taken)
}

/// Snapshots as they are: none is added while it is measured.
struct ReadOnly(Arc<dyn SnapshotStore>);

#[async_trait::async_trait]
impl SnapshotStore for ReadOnly {
    async fn newest(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadError> {
        self.0.newest(stream).await
    }

    async fn keep(&self, _: Snapshot) -> Result<(), ReadError> {
        Ok(())
    }
}

async fn catch_up(store: &Arc<dyn EventStore>) -> Result<Row> {
    for nth in 0..FOLLOWED / 1_000 {
        write(&**store, &StreamId::of("followed", nth), 1_000).await?;
    }
    let selection = Selection::categories(["followed"]);
    let mut subscription = Subscription::new("bench", store.clone(), selection, Cursor::default());
    let (began, mut seen, mut times) = (Instant::now(), 0, Vec::new());
    while seen < FOLLOWED {
        let page_began = Instant::now();
        seen += subscription.next().await?.events.len() as u64;
        times.push(page_began.elapsed());
    }
    Ok(Row::of("a subscription catches up, times per page of 500", "events", seen, began.elapsed(), times))
}
