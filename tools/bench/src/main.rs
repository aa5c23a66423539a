//! Loads a running stack with sagas and measures: completed a second, start to end, CPU per saga, batch sizes. Started by
//! `cargo xtask bench saga`; its own program, so that the load is built and profiled apart from the tool.

mod load;
mod machine;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
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
    if options.json {
        println!("{}", json!({ "windows": windows }));
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
    let batches_before = batches(options).await;
    load.take_ended();
    let (began, cpu_before) = (Instant::now(), machine::cpu(&processes));
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let (ended, cpu_after) = (load.take_ended(), machine::cpu(&processes));
    let seconds = began.elapsed().as_secs_f64();
    let batches_after = batches(options).await;
    let ended: Vec<Ended> = ended.into_iter().filter(|saga| saga.at >= began).collect();
    let count = |end| ended.iter().filter(|saga| saga.end == end).count();
    let sagas = ended.len().max(1) as f64;
    let cpu: BTreeMap<_, _> = cpu_after
        .iter()
        .map(|(name, after)| (name.clone(), round(1_000.0 * (after - cpu_before.get(name).unwrap_or(&0.0)) / sagas)))
        .collect();
    let others_seconds = cpu_after["others"] - cpu_before["others"];
    let window = json!({
        "window": name,
        "sagas_per_second": round(ended.len() as f64 / seconds),
        "completed_per_second": round(count(End::Completed) as f64 / seconds),
        "rolled_back_per_second": round(count(End::RolledBack) as f64 / seconds),
        "stuck": count(End::Stuck),
        "start_to_end_ms": percentiles(&ended),
        "cpu_ms_per_saga": cpu,
        "cpu_ms_per_saga_all": round(cpu.iter().filter(|(name, _)| *name != "others" && *name != "load").map(|(_, ms)| ms).sum()),
        "others_cpu_seconds": round(others_seconds),
        "memory_mib": machine::memory(&processes),
        "messages_per_batch": mean_batches(&batches_before, &batches_after),
    });
    if !options.json {
        println!("{window:#}");
    }
    Ok(window)
}

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
async fn batches(options: &Options) -> BTreeMap<String, (f64, f64)> {
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

fn mean_batches(before: &BTreeMap<String, (f64, f64)>, after: &BTreeMap<String, (f64, f64)>) -> BTreeMap<String, f64> {
    let mean = |(name, (sum, count)): (&String, &(f64, f64))| {
        let (sum_before, count_before) = before.get(name).copied().unwrap_or_default();
        (name.clone(), round((sum - sum_before) / (count - count_before).max(1.0)))
    };
    after.iter().map(mean).collect()
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
