//! `saga`: windows of order sagas, so many in flight or so many a second; completed a second, start to end, CPU per saga,
//! batch sizes. Separate from the benches that make orchestrators and participants come and go.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use backstitch_measure::machine;
use clap::Args;
use serde_json::{Value, json};

use crate::figures::{self, round};
use crate::load::{End, Ended, Load, Shape};
use crate::stage::Live;
use crate::{pace, postgres, report};

/// Sagas under way have so long to end after a window.
const PATIENCE: Duration = Duration::from_secs(60);

/// How to load with orders, and where everything is.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Sagas in flight, for each closed loop
    #[arg(long, value_delimiter = ',', default_value = "64,256,1024")]
    in_flight: Vec<usize>,
    /// Sagas a second, for each open loop
    #[arg(long, value_delimiter = ',', default_value = "50")]
    rates: Vec<u32>,
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

/// Loads the stack window by window, and keeps the figures.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let load = Load::open(&options.bootstrap, &options.registry, Shape::default()).await?;
    let mut windows = Vec::new();
    for in_flight in &options.in_flight {
        windows.push(closed(&load, *in_flight, options).await?);
    }
    for rate in &options.rates {
        windows.push(open(&load, *rate, options).await?);
    }
    let machine = machine::described();
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

impl Options {
    /// Windows of this length on a stack that runs.
    pub(crate) fn of(live: &Live, seconds: u64) -> Result<Self> {
        Ok(Self {
            in_flight: Vec::new(),
            rates: Vec::new(),
            seconds,
            warm_up_seconds: 5,
            stack: live.dir(),
            bootstrap: live.env("KAFKA_BOOTSTRAP")?,
            registry: live.env("SCHEMA_REGISTRY_URL")?,
            metrics: Vec::new(),
            postgres: live.env("POSTGRES_ADMIN_URL")?,
            out: PathBuf::new(),
            json: true,
        })
    }
}

/// One window with so many sagas in flight.
pub(crate) async fn closed(load: &Load, in_flight: usize, options: &Options) -> Result<Value> {
    tokio::task::spawn_blocking(machine::settle).await??;
    let feeder = pace::closed(load, in_flight);
    let window = measure(load, format!("{in_flight} in flight"), options).await?;
    feeder.abort();
    pace::drained(load, PATIENCE).await;
    Ok(window)
}

async fn open(load: &Load, rate: u32, options: &Options) -> Result<Value> {
    tokio::task::spawn_blocking(machine::settle).await??;
    let feeder = pace::open(load, rate);
    let window = measure(load, format!("{rate} a second"), options).await?;
    feeder.abort();
    pace::drained(load, PATIENCE).await;
    Ok(window)
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
        "start_to_end_ms": figures::percentiles(took(&ended)),
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
            "disk bytes": ((after.written - before.written) / sagas).round(),
        },
    });
    if !options.json {
        println!("{window:#}");
    }
    Ok(window)
}

/// What is counted before and after a window.
struct Sample {
    cpu: machine::Cpu,
    written: f64,
    batches: Batches,
    postgres: postgres::Counters,
}

impl Sample {
    async fn take(processes: &BTreeMap<String, u32>, options: &Options) -> Result<Self> {
        Ok(Self {
            batches: batches(options).await,
            postgres: postgres::counters(&options.postgres).await?,
            written: machine::written(),
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

fn took(ended: &[Ended]) -> Vec<f64> {
    ended.iter().map(|saga| saga.took.as_secs_f64() * 1_000.0).collect()
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
