//! Loads a running stack with sagas and measures: completed a second, start to end, CPU per saga, batch sizes. Started by
//! `cargo xtask bench saga`; its own program, so that the load is built and profiled apart from the tool.

mod load;
mod postgres;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use backstitch_measure::machine;
use clap::Parser;
use serde_json::{Value, json};

use load::{End, Ended, Load};

/// Four-step order sagas through five services, one of ten with a declined payment.
#[derive(Debug, Parser)]
struct Options {
    /// Sagas in flight, for each closed loop
    #[arg(long, value_delimiter = ',', default_value = "64,256,1024")]
    in_flight: Vec<usize>,
    /// Sagas a second, for each open loop
    #[arg(long, value_delimiter = ',', default_value = "50")]
    rates: Vec<u64>,
    /// Length of each window
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// What passes before a window begins to count
    #[arg(long, default_value_t = 5)]
    warm_up_seconds: u64,
    /// The stack's folder
    #[arg(long, env = "BACKSTITCH_STACK_DIR", default_value = "target/stack")]
    stack: PathBuf,
    /// Kafka
    #[arg(long, env = "KAFKA_BOOTSTRAP")]
    bootstrap: String,
    /// The schema registry
    #[arg(long, env = "SCHEMA_REGISTRY_URL")]
    registry: String,
    /// Services whose batch sizes are read from `/metrics`, as NAME=URL
    #[arg(long, value_delimiter = ',')]
    metrics: Vec<String>,
    /// The database server, as one who may see its counters
    #[arg(long, env = "POSTGRES_ADMIN_URL", hide_env_values = true)]
    postgres: String,
    /// Where the figures are kept as JSON; a page with plots is written beside it
    #[arg(long, default_value = "target/bench-saga.json")]
    out: PathBuf,
    /// Print JSON only
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let load = Load::open(&options.bootstrap, &options.registry).await?;
    let mut windows = Vec::new();
    for in_flight in &options.in_flight {
        windows.push(closed(&load, *in_flight, &options).await?);
    }
    for rate in &options.rates {
        windows.push(open(&load, *rate, &options).await?);
    }
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let machine = format!("{cores} cores, everything on them");
    let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let result = json!({ "machine": machine, "at": at, "seconds": options.seconds, "windows": windows });
    fs::write(&options.out, serde_json::to_vec_pretty(&result)?).context("the figures could not be kept")?;
    let page = options.out.with_extension("html");
    fs::write(&page, report::page(&result)).context("the page could not be written")?;
    if options.json {
        println!("{result}");
    } else {
        println!("kept in {} and {}", options.out.display(), page.display());
    }
    Ok(())
}

/// So many sagas in flight: each that ends makes room for another.
async fn closed(load: &Load, in_flight: usize, options: &Options) -> Result<Value> {
    load.room.forget_permits(usize::MAX >> 4);
    load.room.add_permits(in_flight);
    let feeder = tokio::spawn({
        let load = load.clone();
        async move {
            for number in 0.. {
                load.room.acquire().await?.forget();
                load.begin(number).await?;
            }
            anyhow::Ok(())
        }
    });
    let window = measure(load, format!("{in_flight} in flight"), options).await?;
    feeder.abort();
    drain(load).await;
    Ok(window)
}

/// So many sagas a second, whatever becomes of them.
async fn open(load: &Load, rate: u64, options: &Options) -> Result<Value> {
    let feeder = tokio::spawn({
        let load = load.clone();
        async move {
            let began = Instant::now();
            for number in 0.. {
                let due = began + Duration::from_secs(1) * u32::try_from(number)? / u32::try_from(rate)?;
                tokio::time::sleep_until(due.into()).await;
                load.begin(number).await?;
            }
            anyhow::Ok(())
        }
    });
    let window = measure(load, format!("{rate} a second"), options).await?;
    feeder.abort();
    drain(load).await;
    Ok(window)
}

/// Waits, bounded, for what is still under way, so that windows do not meet.
async fn drain(load: &Load) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while load.in_flight() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    load.take_ended();
}

async fn measure(load: &Load, name: String, options: &Options) -> Result<Value> {
    tokio::time::sleep(Duration::from_secs(options.warm_up_seconds)).await;
    let processes = machine::processes(&options.stack)?;
    let before = Sample::take(&processes, options).await?;
    load.take_ended();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let ended = load.take_ended();
    let seconds = began.elapsed().as_secs_f64();
    let after = Sample::take(&processes, options).await?;
    let ended: Vec<Ended> = ended.into_iter().filter(|saga| saga.at >= began).collect();
    let count = |end| ended.iter().filter(|saga| saga.end == end).count();
    let sagas = ended.len().max(1) as f64;
    let mut cpu = per(&before.cpu, &after.cpu, sagas / 1_000.0);
    let others = cpu.remove("others").unwrap_or(0.0) * sagas / 1_000.0 / seconds;
    let statements = after.postgres.since(before.postgres);
    let handled: f64 = messages(&after.batches) - messages(&before.batches);
    let window = json!({
        "window": name,
        "sagas_per_second": round(ended.len() as f64 / seconds),
        "completed_per_second": round(count(End::Completed) as f64 / seconds),
        "rolled_back_per_second": round(count(End::RolledBack) as f64 / seconds),
        "stuck": count(End::Stuck),
        "start_to_end_ms": percentiles(&ended),
        "cpu_ms_per_saga_all": round(cpu.iter().filter(|(name, _)| *name != "load").map(|(_, ms)| ms).sum()),
        "cpu_ms_per_saga": cpu,
        "others_cores": round(others),
        "memory_mib": machine::memory(&processes),
        "messages_per_batch": mean_batches(&before.batches, &after.batches),
        "per_saga": {
            "messages handled": round(handled / sagas),
            "transactions": round(statements.transactions / sagas),
            "rows written": round(statements.rows_written / sagas),
            "log flushes": round(statements.flushes / sagas),
            "log bytes": (statements.log_bytes / sagas).round(),
        },
        "disk_bytes_per_saga": per(&before.written, &after.written, sagas),
    });
    if !options.json {
        println!("{window:#}");
    }
    Ok(window)
}

/// What is counted before and after a window.
struct Sample {
    cpu: machine::Cpu,
    written: BTreeMap<String, f64>,
    batches: Batches,
    postgres: postgres::Counters,
}

impl Sample {
    async fn take(processes: &BTreeMap<String, u32>, options: &Options) -> Result<Self> {
        Ok(Self {
            batches: batches(options).await,
            postgres: postgres::counters(&options.postgres).await?,
            written: machine::written(processes),
            cpu: machine::cpu(processes),
        })
    }
}

/// What each spent meanwhile, for each of so many.
fn per(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, sagas: f64) -> BTreeMap<String, f64> {
    let spent =
        |(name, after): (&String, &f64)| (name.clone(), round((after - before.get(name).unwrap_or(&0.0)) / sagas));
    after.iter().map(spent).collect()
}

fn messages(batches: &Batches) -> f64 {
    batches.values().map(|(sum, _)| sum).sum()
}

/// Messages and batches so far, by service.
type Batches = BTreeMap<String, (f64, f64)>;

fn percentiles(ended: &[Ended]) -> Value {
    let mut took: Vec<f64> = ended.iter().map(|saga| saga.took.as_secs_f64() * 1_000.0).collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)));
    json!({
        "p50": at(0.5).map(|ms| round(*ms)), "p95": at(0.95).map(|ms| round(*ms)),
        "p99": at(0.99).map(|ms| round(*ms)), "max": took.last().map(|ms| round(*ms)),
    })
}

/// Sum and count of the batch size histogram of each service.
async fn batches(options: &Options) -> Batches {
    let mut found = BTreeMap::new();
    for named in &options.metrics {
        let Some((name, url)) = named.split_once('=') else { continue };
        let Ok(answer) = reqwest::get(format!("{url}/metrics")).await else { continue };
        let text = answer.text().await.unwrap_or_default();
        let value = |suffix: &str| -> f64 {
            let metric = format!("processor_batch_messages_{suffix}");
            text.lines()
                .filter(|line| line.starts_with(&metric))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        found.insert(name.to_owned(), (value("sum"), value("count")));
    }
    found
}

fn mean_batches(before: &Batches, after: &Batches) -> BTreeMap<String, f64> {
    let mean = |(name, (sum, count)): (&String, &(f64, f64))| {
        let (sum_before, count_before) = before.get(name).copied().unwrap_or_default();
        (name.clone(), round((sum - sum_before) / (count - count_before).max(1.0)))
    };
    after.iter().map(mean).collect()
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
