//! Loads a peer through its HTTP door and measures what `cargo xtask bench saga` measures of ours, in the same words: sagas
//! ended a second, start to end, CPU per saga of each process. Started by `cargo xtask bench peers`.

mod door;
mod window;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};

use door::Door;
use window::{Load, Window};

/// Four-step order sagas, one of ten with a declined payment.
#[derive(Debug, Parser)]
struct Options {
    /// Where sagas are begun, by `POST URL/ID/run`; the answer says whether it was rolled back
    #[arg(long)]
    url: String,
    /// Sagas in flight, for each closed loop
    #[arg(long, value_delimiter = ',')]
    in_flight: Vec<usize>,
    /// Sagas a second, for each open loop
    #[arg(long, value_delimiter = ',')]
    rates: Vec<u64>,
    /// Length of each window
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// What passes before a window begins to count
    #[arg(long, default_value_t = 5)]
    warm_up_seconds: u64,
    /// The peer's processes, as NAME=PID
    #[arg(long, value_delimiter = ',', value_parser = process)]
    processes: Vec<(String, u32)>,
    /// Where the figures go as JSON
    #[arg(long)]
    out: PathBuf,
}

fn process(text: &str) -> Result<(String, u32)> {
    let (name, pid) = text.split_once('=').context("NAME=PID is asked for")?;
    Ok((name.to_owned(), pid.parse()?))
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let processes: BTreeMap<String, u32> = options.processes.iter().cloned().collect();
    let window = Window {
        door: Arc::new(Door::open(&options.url)?),
        warm_up: Duration::from_secs(options.warm_up_seconds),
        length: Duration::from_secs(options.seconds),
        processes,
    };
    let mut windows: Vec<Value> = Vec::new();
    for in_flight in &options.in_flight {
        windows.push(window.run(Load::Closed(*in_flight)).await?);
    }
    for rate in &options.rates {
        windows.push(window.run(Load::Open(*rate)).await?);
    }
    let figures = json!({ "seconds": options.seconds, "windows": windows });
    std::fs::write(&options.out, format!("{figures:#}\n"))
        .with_context(|| format!("could not write {}", options.out.display()))
}
