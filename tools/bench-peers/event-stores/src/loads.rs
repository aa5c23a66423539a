//! The loads, over any store. The same numbers as in `tools/bench-event-store`: writers, events to a stream, warm-up, repeats.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use backstitch_measure::figures::Row;
use clap::ValueEnum;
use tokio::task::JoinSet;

use crate::note::Sum;

const WARM_UP: Duration = Duration::from_secs(2);
const EVENTS_PER_STREAM: usize = 50;
const EVENTS: usize = 10_000;
const RECOVERIES: usize = 20;

/// What to do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Load {
    /// Single events, 64 writers
    Singles,
    /// Batches of 100 events, 8 writers
    Batches,
    /// A stream of 10,000 events, from the first
    Recovery,
}

/// An event store, as far as it is measured.
pub(crate) trait Store: Clone + Send + Sync + 'static {
    /// A stream, and where its writer is in it.
    type Stream: Send;

    /// A stream that nobody has written yet.
    fn stream(&self) -> Self::Stream;

    /// Appends so many events where the writer is, or says that it has to be tried again.
    fn append(&self, stream: &mut Self::Stream, events: usize) -> impl Future<Output = Result<Appended>> + Send;

    /// Reads and folds it all.
    fn recover(&self, stream: &Self::Stream) -> impl Future<Output = Result<Sum>> + Send;
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    Made,
    /// Another transaction was in the way, though nobody else writes this stream.
    Conflict,
}

#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    events: u64,
    conflicts: u64,
}

/// Loads `store`.
pub(crate) async fn run(store: impl Store, load: Load, window: Duration) -> Result<Row> {
    match load {
        Load::Singles => append("single events, 64 writers", &store, 64, 1, window).await,
        Load::Batches => append("batches of 100 events, 8 writers", &store, 8, 100, window).await,
        Load::Recovery => recovery(&store).await,
    }
}

async fn append(
    name: &'static str,
    store: &impl Store,
    writers: usize,
    events: usize,
    window: Duration,
) -> Result<Row> {
    let begin = Instant::now() + WARM_UP;
    let end = begin + window;
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        tasks.spawn(write(store.clone(), events, begin, end));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen??;
        all.times.extend(seen.times);
        all.events += seen.events;
        all.conflicts += seen.conflicts;
    }
    let made = all.times.len().max(1) as f64;
    let mut row = Row::of(name, "events", all.events, window, all.times);
    row.conflicts = all.conflicts as f64 / made;
    Ok(row)
}

async fn write(store: impl Store, events: usize, begin: Instant, end: Instant) -> Result<Seen> {
    let mut seen = Seen::default();
    let (mut stream, mut written) = (store.stream(), 0);
    while Instant::now() < end {
        if written >= EVENTS_PER_STREAM {
            (stream, written) = (store.stream(), 0);
        }
        let began = Instant::now();
        let is_counted = began >= begin;
        while store.append(&mut stream, events).await? == Appended::Conflict {
            seen.conflicts += u64::from(is_counted);
        }
        written += events;
        if is_counted {
            seen.times.push(began.elapsed());
            seen.events += events as u64;
        }
    }
    Ok(seen)
}

async fn recovery(store: &impl Store) -> Result<Row> {
    let mut stream = store.stream();
    for _ in 0..EVENTS / 100 {
        while store.append(&mut stream, 100).await? == Appended::Conflict {}
    }
    let mut times = Vec::with_capacity(RECOVERIES);
    for _ in 0..RECOVERIES {
        let began = Instant::now();
        let sum = store.recover(&stream).await?;
        times.push(began.elapsed());
        ensure!(sum.events == EVENTS as u64, "recovered {} of {EVENTS} events", sum.events);
    }
    let window = times.iter().sum();
    Ok(Row::of("recovery of 10,000 events, from the first", "recoveries", times.len() as u64, window, times))
}
