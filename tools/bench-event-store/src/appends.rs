//! Loads that append: closed loops of writers, each of which waits for its verdict before it goes on.

use std::time::{Duration, Instant};

use anyhow::Result;
use backstitch_event_store::{
    AppendError, AppendRequest, EventStore as _, ExpectedVersion, Flow, NewEvent, RetryPolicy, StreamId, StreamVersion,
    execute,
};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_measure::figures::Row;
use chrono::Utc;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::database::Database;
use crate::transfer::Transfer;

/// What is not counted at first.
const WARM_UP: Duration = Duration::from_secs(2);
/// Appends to a stream before a writer takes another.
const EVENTS_PER_STREAM: u64 = 50;
const ACCOUNTS: u32 = 2_000;

/// What each writer does.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Appends so many events at once; every so often (of 1) on an expectation that is stale.
    Append { events: usize, stale: f64 },
    /// Executes commands over two streams.
    Transfer,
}

/// One load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    writers: usize,
    work: Work,
}

/// What a writer saw within the window.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    events: u64,
    conflicts: u64,
}

impl Load {
    pub(crate) fn all() -> Vec<Self> {
        let append = |name, writers, events, stale| Self { name, writers, work: Work::Append { events, stale } };
        vec![
            append("single events, 1 writer", 1, 1, 0.0),
            append("single events, 64 writers", 64, 1, 0.0),
            append("single events, 256 writers", 256, 1, 0.0),
            append("single events, 1,024 writers", 1_024, 1, 0.0),
            append("batches of 100 events, 8 writers", 8, 100, 0.0),
            append("single events, 256 writers, 1 in 100 stale", 256, 1, 0.01),
            append("single events, 256 writers, 1 in 5 stale", 256, 1, 0.2),
            Self { name: "commands over two streams, 64 writers", writers: 64, work: Work::Transfer },
        ]
    }
}

pub(crate) async fn measure(load: &Load, database: &Database, window: Duration) -> Result<Row> {
    let store = database.store();
    let begin = Instant::now() + WARM_UP;
    let end = begin + window;
    let mut writers = JoinSet::new();
    for _ in 0..load.writers {
        match load.work {
            Work::Append { events, stale } => writers.spawn(append(store.clone(), events, stale, begin, end)),
            Work::Transfer => writers.spawn(transfer(store.clone(), begin, end)),
        };
    }
    let mut all = Seen::default();
    while let Some(seen) = writers.join_next().await {
        let seen = seen??;
        all.times.extend(seen.times);
        all.events += seen.events;
        all.conflicts += seen.conflicts;
    }
    let made = all.times.len();
    let unit = if matches!(load.work, Work::Transfer) { "commands" } else { "events" };
    let count = if unit == "commands" { made as u64 } else { all.events };
    let mut row = Row::of(load.name, unit, count, window, all.times);
    #[allow(clippy::cast_precision_loss, reason = "a ratio")]
    let conflicts = all.conflicts as f64 / made.max(1) as f64;
    row.conflicts = conflicts;
    Ok(row)
}

async fn append(store: PostgresStore, events: usize, stale: f64, begin: Instant, end: Instant) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut dice = fastrand::Rng::new();
    let (mut stream, mut version) = (fresh(), 0);
    while Instant::now() < end {
        if version >= EVENTS_PER_STREAM {
            (stream, version) = (fresh(), 0);
        }
        let began = Instant::now();
        let is_counted = began >= begin;
        if version > 0 && dice.f64() < stale {
            let late = AppendRequest::new().write(
                stream.clone(),
                ExpectedVersion::Exact(StreamVersion(version - 1)),
                vec![event()],
            );
            match store.append(late).await {
                Err(AppendError::Conflict { .. }) => seen.conflicts += u64::from(is_counted),
                other => anyhow::bail!("a conflict was expected, not {other:?}"),
            }
        }
        let at = ExpectedVersion::Exact(StreamVersion(version));
        let new = (0..events).map(|_| event()).collect();
        store.append(AppendRequest::new().write(stream.clone(), at, new)).await?;
        version += events as u64;
        if is_counted {
            seen.times.push(began.elapsed());
            seen.events += events as u64;
        }
    }
    Ok(seen)
}

async fn transfer(store: PostgresStore, begin: Instant, end: Instant) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut dice = fastrand::Rng::new();
    while Instant::now() < end {
        let from = dice.u32(..ACCOUNTS);
        let to = (from + 1 + dice.u32(..ACCOUNTS - 1)) % ACCOUNTS;
        let account = |number| StreamId::of("account", number);
        let command = Transfer { from: account(from), to: account(to), amount: 1 };
        let began = Instant::now();
        execute(&store, &command, &Flow::begun_by(Uuid::new_v4()), &RetryPolicy::default()).await?;
        if began >= begin {
            seen.times.push(began.elapsed());
            seen.events += 2;
        }
    }
    Ok(seen)
}

fn fresh() -> StreamId {
    StreamId::of("bench", Uuid::new_v4())
}

/// An event of the size of a domain event: some 200 bytes of data.
pub(crate) fn event() -> NewEvent {
    NewEvent {
        event_id: Uuid::new_v4(),
        event_type: "PaymentProcessed".to_owned(),
        event_version: 1,
        aggregate_type: "Payment".to_owned(),
        occurred_at: Utc::now(),
        correlation_id: Uuid::new_v4(),
        causation_id: Some(Uuid::new_v4()),
        user_id: None,
        data: json!({
            "order_id": Uuid::new_v4(), "payment_id": Uuid::new_v4(),
            "amount": {"minor": 129_900, "currency": "EUR"}, "payment_method": "card", "reference": "invoice 2026-11-0042",
        }),
        metadata: json!({"source": "bench"}),
    }
}
