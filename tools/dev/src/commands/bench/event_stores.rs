//! `cargo xtask bench event-store --peers`: single events, batches and recovery on our event store and on others, in turn, on one
//! Postgres.
//!
//! Separate from the sagas' peers, who share nothing with these but how they are built.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::peers::install::{build, built, npm};
use super::peers::summary::{middle, ratio, shown};
use super::{EventStore, event_store_command, on_event_stores};
use crate::progress::Board;
use crate::stack::{Stack, workspace};

const PACKAGE: &str = "peer-event-stores";
const OURS: &str = "backstitch";
const MESSAGE_DB: &str = "message-db";
const STORES: [&str; 5] = [OURS, "eventcore", "cqrs-es", "disintegrate", MESSAGE_DB];
/// How a load is called there, and by which part of its name it is chosen among ours.
const LOADS: [(&str, &str); 3] =
    [("singles", "single events, 64 writers"), ("batches", "batches of 100"), ("recovery", "recovery")];

/// A window on a store, as both programs print it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    name: String,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    conflicts: f64,
}

#[derive(Deserialize)]
struct Figures {
    rows: Vec<Row>,
}

/// The rounds of one load on one store.
#[derive(Debug, Serialize)]
struct Median {
    load: String,
    store: &'static str,
    per_second: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    conflicts: Option<f64>,
    /// Its rate by ours.
    ratio: Option<f64>,
}

/// Measures, and shows the medians.
pub(super) fn run(dir: &Path, options: &EventStore) -> Result<()> {
    build(&[PACKAGE])?;
    on_event_stores(dir, options, |stack| compare(stack, options))
}

fn compare(stack: &Stack, options: &EventStore) -> Result<()> {
    let message_db = npm(MESSAGE_DB).map(|modules| modules.join("@eventide/message-db/database"));
    let stores: Vec<_> = STORES.into_iter().filter(|store| *store != MESSAGE_DB || message_db.is_ok()).collect();
    let mut seen: Vec<(&'static str, Row)> = Vec::new();
    let board = Board::new();
    for round in 1..=options.runs.max(1) {
        for (load, ours) in LOADS.iter().filter(|(_, name)| name.contains(&options.only)) {
            for store in &stores {
                let task = board.task(store);
                task.step(&format!("round {round}, {load}"));
                let rows = if *store == OURS {
                    our_turn(stack, options, ours)
                } else {
                    their_turn(stack, options, store, load, message_db.as_deref().unwrap_or(Path::new("")))
                };
                let rows = rows.inspect_err(|_| task.failed())?;
                task.done(&format!("round {round}, {load}"));
                seen.extend(rows.into_iter().map(|row| (*store, row)));
            }
        }
    }
    let skipped = message_db.err().map(|error| format!("{MESSAGE_DB} was skipped: {error:#}"));
    publish(&medians(&seen), skipped.as_deref(), options)
}

fn our_turn(stack: &Stack, options: &EventStore, only: &str) -> Result<Vec<Row>> {
    let mut rows = rows_of(event_store_command(stack, options.seconds, 1, only)?.arg("--json"))?;
    // The others are measured without their snapshots, and do not catch up.
    rows.retain(|row| LOADS.iter().any(|(_, name)| row.name.starts_with(name)) && !row.name.contains("snapshot"));
    Ok(rows)
}

fn their_turn(stack: &Stack, options: &EventStore, store: &str, load: &str, message_db: &Path) -> Result<Vec<Row>> {
    let mut command = Command::new(built(PACKAGE));
    command.envs(stack.env()?).env_remove("RUST_BACKTRACE").args(["--store", store, "--load", load]);
    command.args(["--seconds", &options.seconds.to_string()]).arg("--message-db").arg(message_db);
    rows_of(&mut command)
}

fn rows_of(load: &mut Command) -> Result<Vec<Row>> {
    let output = load.output().context("could not run the load")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the load ended with {}: {}", output.status, said.trim());
    let figures: Figures = serde_json::from_slice(&output.stdout).context("the load printed no figures")?;
    Ok(figures.rows)
}

fn medians(seen: &[(&'static str, Row)]) -> Vec<Median> {
    let mut all: Vec<Median> = Vec::new();
    for (_, load) in LOADS {
        for store in STORES {
            let rounds: Vec<&Row> = seen
                .iter()
                .filter(|(of, row)| *of == store && row.name.starts_with(load))
                .map(|(_, row)| row)
                .collect();
            let Some(first) = rounds.first() else { continue };
            let of = |value: fn(&Row) -> f64| middle(rounds.iter().map(|row| value(row)).collect());
            let per_second = of(|row| row.per_second);
            let ours = if store == OURS {
                per_second
            } else {
                all.iter().rfind(|it| it.store == OURS).and_then(|it| it.per_second)
            };
            all.push(Median {
                load: first.name.clone(),
                store,
                per_second,
                p50_ms: of(|row| row.p50_ms),
                p99_ms: of(|row| row.p99_ms),
                conflicts: of(|row| row.conflicts),
                ratio: ratio(per_second, ours),
            });
        }
    }
    all
}

fn publish(medians: &[Median], skipped: Option<&str>, options: &EventStore) -> Result<()> {
    let figures = json!({
        "seconds": options.seconds, "rounds": options.runs, "medians": medians, "skipped": skipped,
        "load_average": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
    });
    let out = workspace().join("target/bench-event-store-peers.json");
    std::fs::write(&out, format!("{figures:#}\n")).with_context(|| format!("could not write {}", out.display()))?;
    if options.json {
        println!("{figures:#}");
        return Ok(());
    }
    println!(
        "{:<44}{:<14}{:>12}{:>10}{:>10}{:>11}{:>9}",
        "", "", "a second", "p50 ms", "p99 ms", "conflicts", "by ours"
    );
    for median in medians {
        println!(
            "{:<44}{:<14}{:>12}{:>10}{:>10}{:>11}{:>9}",
            median.load,
            median.store,
            shown(median.per_second, 0, ""),
            shown(median.p50_ms, 2, ""),
            shown(median.p99_ms, 2, ""),
            shown(median.conflicts, 3, ""),
            shown(median.ratio, 2, "x")
        );
    }
    skipped.iter().for_each(|why| println!("{why}"));
    println!("kept in {}", out.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OURS, Row, medians};

    #[test]
    fn each_store_is_its_median_round_and_stands_to_ours() {
        let row = |per_second| Row {
            name: "single events, 64 writers".to_owned(),
            per_second,
            p50_ms: 1.0,
            p99_ms: 2.0,
            conflicts: 0.0,
        };
        let seen = [(OURS, row(100.0)), ("eventcore", row(10.0)), (OURS, row(300.0)), ("eventcore", row(30.0))];
        let found: Vec<_> = medians(&seen).iter().map(|it| (it.store, it.per_second, it.ratio)).collect();
        assert_eq!(found, [(OURS, Some(200.0), Some(1.0)), ("eventcore", Some(20.0), Some(0.1))]);
    }
}
