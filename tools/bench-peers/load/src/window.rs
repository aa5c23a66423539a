//! One window of load: closed, with so many sagas in flight, or open, at a rate whatever becomes of them; and what it came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use backstitch_measure::machine;
use peer_workload::Order;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout_at};

use crate::door::Door;

/// What is waited for what is still under way, so that windows do not meet.
const DRAIN: Duration = Duration::from_secs(60);
/// Before a slot tries again, so that a peer in trouble is not also hammered.
const AFTER_FAILURE: Duration = Duration::from_millis(50);
/// What the load uses itself; no cost of a saga.
const NOT_THE_PEERS: [&str; 3] = ["load", "door", "others"];

/// How to load.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// So many sagas in flight: each that ends makes room for another.
    Closed(usize),
    /// So many sagas a second.
    Open(u64),
}

/// What all windows of a call have in common.
pub(crate) struct Window {
    pub(crate) door: Arc<Door>,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    pub(crate) processes: BTreeMap<String, u32>,
}

/// One saga that has ended.
struct Ended {
    rolled_back: bool,
    expected: bool,
    took: Duration,
    at: Instant,
}

/// What sagas came to so far.
#[derive(Default)]
struct Books {
    ended: Vec<Ended>,
    failed: u64,
    last_failure: Option<String>,
}

type Shared = Arc<Mutex<Books>>;

impl Window {
    /// Loads, once the disks have what was written before, and measures after the warm-up.
    pub(crate) async fn run(&self, load: Load) -> Result<Value> {
        tokio::task::spawn_blocking(machine::settle).await??;
        let books = Shared::default();
        let begin = Instant::now() + self.warm_up;
        let end = begin + self.length;
        let feeder = match load {
            Load::Closed(in_flight) => tokio::spawn(closed(self.door.clone(), books.clone(), in_flight, end)),
            Load::Open(rate) => tokio::spawn(open(self.door.clone(), books.clone(), rate, end)),
        };
        sleep_until(begin.into()).await;
        let before = machine::cpu(&self.processes);
        let began = Instant::now();
        sleep_until(end.into()).await;
        let after = machine::cpu(&self.processes);
        let ended_at = Instant::now();
        let memory = machine::memory(&self.processes);
        feeder.await?;
        let books = std::mem::take(&mut *lock(&books));
        let name = match load {
            Load::Closed(in_flight) => format!("{in_flight} in flight"),
            Load::Open(rate) => format!("{rate} a second"),
        };
        let counted: Vec<&Ended> = books.ended.iter().filter(|saga| saga.at >= began && saga.at < ended_at).collect();
        let wrong = counted.iter().filter(|saga| saga.rolled_back != saga.expected).count();
        ensure!(wrong == 0, "{wrong} of {} sagas ended as they must not", counted.len());
        let seconds = (ended_at - began).as_secs_f64();
        let mut window = figures(&counted, seconds, &spent(&before, &after));
        window["window"] = json!(name);
        window["failed"] = json!(books.failed);
        window["last_failure"] = json!(books.last_failure);
        window["memory_mib"] = json!(memory);
        Ok(window)
    }
}

/// CPU seconds of each between two looks.
fn spent(before: &machine::Cpu, after: &machine::Cpu) -> machine::Cpu {
    after.iter().map(|(name, used)| (name.clone(), used - before.get(name).unwrap_or(&0.0))).collect()
}

fn figures(ended: &[&Ended], seconds: f64, cpu: &machine::Cpu) -> Value {
    let sagas = ended.len().max(1) as f64;
    let per_saga: BTreeMap<&String, f64> = cpu
        .iter()
        .filter(|(name, _)| *name != "others")
        .map(|(name, used)| (name, round(used * 1e3 / sagas)))
        .collect();
    let all: f64 = cpu.iter().filter(|(name, _)| !NOT_THE_PEERS.contains(&name.as_str())).map(|(_, used)| used).sum();
    let rolled_back = ended.iter().filter(|saga| saga.rolled_back).count();
    json!({
        "sagas_per_second": round(ended.len() as f64 / seconds),
        "completed_per_second": round((ended.len() - rolled_back) as f64 / seconds),
        "rolled_back_per_second": round(rolled_back as f64 / seconds),
        "start_to_end_ms": percentiles(ended),
        "cpu_ms_per_saga_all": round(all * 1e3 / sagas),
        "cpu_ms_per_saga": per_saga,
        "others_cores": round(cpu.get("others").unwrap_or(&0.0) / seconds),
    })
}

fn percentiles(ended: &[&Ended]) -> Value {
    let mut took: Vec<f64> = ended.iter().map(|saga| saga.took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)));
    json!({
        "p50": at(0.5).map(|ms| round(*ms)), "p95": at(0.95).map(|ms| round(*ms)),
        "p99": at(0.99).map(|ms| round(*ms)), "max": took.last().map(|ms| round(*ms)),
    })
}

async fn closed(door: Arc<Door>, books: Shared, in_flight: usize, end: Instant) {
    let numbers = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let run = run_name();
    let mut slots = JoinSet::new();
    for _ in 0..in_flight {
        let (door, books, numbers, run) = (door.clone(), books.clone(), numbers.clone(), run.clone());
        slots.spawn(async move {
            while Instant::now() < end {
                let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if !one(&door, &books, Order::numbered(&run, number), Instant::now()).await {
                    sleep(AFTER_FAILURE).await;
                }
            }
        });
    }
    drain(slots, end).await;
}

async fn open(door: Arc<Door>, books: Shared, rate: u64, end: Instant) {
    let began = Instant::now();
    let run = run_name();
    let mut sagas = JoinSet::new();
    for number in 0.. {
        // Its time runs from when it was due, so that a stall is not hidden.
        let due = began + Duration::from_secs_f64(number as f64 / rate as f64);
        if due >= end {
            break;
        }
        sleep_until(due.into()).await;
        let (door, books, order) = (door.clone(), books.clone(), Order::numbered(&run, number));
        sagas.spawn(async move {
            one(&door, &books, order, due).await;
        });
    }
    drain(sagas, end).await;
}

/// Runs one saga and notes its end. Whether it had one.
async fn one(door: &Door, books: &Shared, order: Order, begun: Instant) -> bool {
    let outcome = door.run(&order).await;
    let at = Instant::now();
    let mut books = lock(books);
    match outcome {
        Ok(rolled_back) => books.ended.push(Ended { rolled_back, expected: order.decline, took: at - begun, at }),
        Err(error) => {
            books.failed += 1;
            books.last_failure = Some(format!("{error:#}"));
            return false;
        }
    }
    true
}

async fn drain(mut sagas: JoinSet<()>, end: Instant) {
    while let Ok(Some(_)) = timeout_at((end + DRAIN).into(), sagas.join_next()).await {}
}

/// Another one for each window: no saga is begun twice.
fn run_name() -> String {
    format!("order-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros())
}

fn lock(books: &Mutex<Books>) -> std::sync::MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
