//! Loads the event store on a Postgres and measures: appends a second alone, in batches, by commands and under
//! conflicts, recovery of aggregates, reading it all, and rebuilding a projection from it while it serves. Started by `cargo xtask bench event-store`; its own program,
//! so that it is built with optimisation and without the services.

mod appends;
mod database;
mod rebuild;
mod recovery;
mod transfer;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use backstitch_measure::figures::{Row, median};
use backstitch_projection::StoreSource;
use clap::Parser;
use serde_json::json;

use appends::Load;
use database::Database;

/// Single events, batches, commands, conflicts, recovery, catching up and rebuilding, on a real Postgres with durable commits.
#[derive(Debug, Parser)]
struct Options {
    /// A server, as its superuser
    #[arg(long, env = "POSTGRES_ADMIN_URL")]
    postgres: String,
    /// Length of each window
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Windows of each load; the median is shown
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Events that are there before
    #[arg(long, default_value_t = 0)]
    stored: u64,
    /// Events that a projection catches up with, and is then rebuilt from while it serves
    #[arg(long, default_value_t = 100_000)]
    rebuild: u64,
    /// Shares in which a projection reads the store
    #[arg(long, default_value_t = StoreSource::SHARES)]
    shares: NonZeroU32,
    /// Only loads whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Where the figures go as JSON, besides the table
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print JSON only
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut rows = Vec::new();
    let mut each = serde_json::Map::new();
    for load in Load::all().into_iter().filter(|load| load.name.contains(&options.only)) {
        let runs = windows(&load, &options).await?;
        each.insert(load.name.to_owned(), json!(runs.iter().map(|run| run.per_second).collect::<Vec<_>>()));
        rows.extend(median(runs).map(|row| show(row, options.json)));
    }
    if "recovery and catching up".contains(&options.only) {
        let database = Database::fresh(&options.postgres, options.stored).await?;
        for row in recovery::measure(&database).await? {
            rows.push(show(row, options.json));
        }
        database.drop().await?;
    }
    if rebuild::NAMES.contains(&options.only) {
        let window = Duration::from_secs(options.seconds);
        for row in rebuild::measure(&options.postgres, options.rebuild, options.shares, window).await? {
            rows.push(show(row, options.json));
        }
    }
    let figures = json!({
        "rebuilt_events": options.rebuild,
        "shares": options.shares,
        "stored_before": options.stored,
        "seconds": options.seconds,
        "runs": options.runs,
        "load_average": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        "rows": rows,
        "each_window_per_second": each,
    });
    if options.json {
        println!("{figures:#}");
    }
    if let Some(out) = options.out {
        std::fs::write(&out, format!("{figures:#}\n")).with_context(|| format!("could not write {}", out.display()))?;
    }
    Ok(())
}

/// Each on a database of its own; where it has to be filled first, one after the other on the same, of which the first
/// meets every page as the checkpoint has left it.
async fn windows(load: &Load, options: &Options) -> Result<Vec<Row>> {
    let window = Duration::from_secs(options.seconds);
    let runs = options.runs.max(1);
    let (databases, windows_each) = if options.stored == 0 { (runs, 1) } else { (1, runs) };
    let mut measured = Vec::new();
    for _ in 0..databases {
        let database = Database::fresh(&options.postgres, options.stored).await?;
        for _ in 0..windows_each {
            measured.push(appends::measure(load, &database, window).await?);
        }
        database.drop().await?;
    }
    Ok(measured)
}

fn show(row: Row, json: bool) -> Row {
    if !json {
        println!("{row}");
    }
    row
}
