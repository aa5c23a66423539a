//! `cargo xtask bench peers`: our sagas and others' in turn, on one machine, in one call, under one load.
//!
//! In turn, because a shared machine is not the same a minute later: each round measures everybody once, and what is shown is
//! the median of the rounds. Whoever is not being measured does not run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{PACKAGE, Windows, everything, folder, on_stack, postgres_alone, saga_command};
use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Plan, Stack, workspace};
use install::{Installed, built};
use lab::Lab;
use summary::{Turn, Window};

mod dbos;
pub(super) mod install;
mod lab;
mod page;
mod restate;
pub(super) mod summary;
mod temporal;

/// How we are called among the others.
pub(super) const OURS: &str = "backstitch";

/// Whom to measure, and how.
#[derive(Debug, Args)]
pub struct Options {
    /// Whom to measure beside us
    #[arg(long, value_delimiter = ',', value_enum, default_value = "restate,dbos,temporal")]
    peers: Vec<Peer>,
    /// Sagas in flight, for each closed loop
    #[arg(long, value_delimiter = ',', default_value = "64,256")]
    in_flight: Vec<u32>,
    /// Sagas a second, for each open loop
    #[arg(long, value_delimiter = ',', default_value = "50")]
    rates: Vec<u32>,
    #[command(flatten)]
    windows: Windows,
    /// Our lanes: partitions of each topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// How often everybody has a turn; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// A folder with our programs, built with optimisation elsewhere; nothing of ours is built then
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Print JSON only; it is written to target/bench-peers.json in any case, and a page beside it
    #[arg(long)]
    json: bool,
}

/// Somebody else's way to run sagas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Peer {
    /// Restate's server; saga and participants by its Rust SDK
    Restate,
    /// DBOS Transact for Rust, on Postgres
    Dbos,
    /// Temporal's server on Postgres; saga and participants by its Go SDK
    Temporal,
}

impl Peer {
    /// As people write it.
    const fn name(self) -> &'static str {
        match self {
            Self::Restate => "restate",
            Self::Dbos => "dbos",
            Self::Temporal => "temporal",
        }
    }
}

/// Runs the command: ours on the stack in `dir`, the others beside a Postgres of their own.
pub(super) fn run(dir: &Path, options: &Options) -> Result<()> {
    ensure!(!options.in_flight.is_empty() || !options.rates.is_empty(), "nothing to measure");
    let partitions = Some(options.partitions);
    let plan = Plan { partitions, ..everything(folder(options.binaries.as_deref())?) };
    let (installed, skipped) = install::peers(&options.peers)?;
    let theirs = Stack::open(&dir.with_file_name("bench-peers-stack"))?;
    let their_guard = Guard::post(&theirs)?;
    their_guard.watch_everything();
    theirs.up(&postgres_alone(None), &Board::new(), Some(&their_guard))?;
    let mut all = Measured { turns: Vec::new(), skipped };
    let outcome = all.rounds(dir, &plan, options, installed, (&theirs, &their_guard));
    theirs.stop_all(theirs.running())?;
    their_guard.dismiss();
    outcome?;
    all.publish(options)
}

/// What there is to tell.
struct Measured {
    turns: Vec<Turn>,
    skipped: Vec<(Peer, String)>,
}

impl Measured {
    /// Whoever fails once has no further turn; the others go on.
    fn rounds(
        &mut self,
        dir: &Path,
        plan: &Plan,
        options: &Options,
        mut installed: Installed,
        (theirs, their_guard): (&Stack, &Guard),
    ) -> Result<()> {
        let board = Board::new();
        for round in 1..=options.rounds.max(1) {
            let windows = ours(dir, plan, options)?;
            self.turns.push(Turn { peer: OURS.to_owned(), round, windows });
            for peer in installed.peers.clone() {
                let task = board.task(peer.name());
                task.step(&format!("round {round}"));
                let mut lab = Lab::new(theirs, their_guard, peer.name())?;
                match turn(&mut lab, peer, &installed, options) {
                    Ok(windows) => {
                        task.done(&format!("round {round}"));
                        self.turns.push(Turn { peer: peer.name().to_owned(), round, windows });
                    }
                    Err(error) => {
                        task.failed();
                        installed.peers.retain(|it| *it != peer);
                        self.skipped.push((peer, format!("{error:#}")));
                    }
                }
            }
        }
        Ok(())
    }

    fn publish(&self, options: &Options) -> Result<()> {
        let medians = summary::medians(&self.turns);
        let skipped: Vec<_> =
            self.skipped.iter().map(|(peer, why)| json!({ "peer": peer.name(), "reason": why })).collect();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let figures = json!({
            "machine": format!("{cores} cores, everything on them"),
            "seconds": options.windows.seconds, "warm_up_seconds": options.windows.warm_up_seconds, "rounds": options.rounds,
            "medians": medians, "skipped": skipped, "turns": self.turns,
        });
        let out = workspace().join("target/bench-peers.json");
        fs::write(&out, format!("{figures:#}\n")).with_context(|| format!("could not write {}", out.display()))?;
        let page = out.with_extension("html");
        fs::write(&page, page::of(&medians, &figures))
            .with_context(|| format!("could not write {}", page.display()))?;
        if options.json {
            println!("{figures:#}");
        } else {
            print!("{}", summary::table(&medians));
            for entry in &skipped {
                println!(
                    "{} was skipped: {}",
                    entry["peer"].as_str().unwrap_or(""),
                    entry["reason"].as_str().unwrap_or("")
                );
            }
            println!("kept in {} and {}", out.display(), page.display());
        }
        Ok(())
    }
}

/// As `cargo xtask bench saga` does it.
fn ours(dir: &Path, plan: &Plan, options: &Options) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    on_stack(dir, plan, false, |stack| {
        let out = stack.layout().root().join("figures.json");
        let mut load = saga_command(
            stack,
            stack.program(PACKAGE),
            &listed(&options.in_flight),
            &listed(&options.rates),
            options.windows,
        )?;
        let output = load.arg("--json").arg("--out").arg(&out).output().context("could not run the load")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the load ended with {}: {}", output.status, said.trim());
        windows = summary::read(&out)?;
        Ok(())
    })?;
    Ok(windows)
}

/// A peer starts empty, is loaded, and is ended.
fn turn(lab: &mut Lab<'_>, peer: Peer, installed: &Installed, options: &Options) -> Result<Vec<Window>> {
    let door = match peer {
        Peer::Restate => restate::start(lab, installed)?,
        Peer::Dbos => dbos::start(lab)?,
        Peer::Temporal => temporal::start(lab, installed)?,
    };
    let out = lab.dir().join("figures.json");
    let mut load = lab.command(&built("peer-load"));
    load.args(["--url", &door, "--processes", &lab.processes()]);
    options.windows.told(&mut load);
    if !options.in_flight.is_empty() {
        load.args(["--in-flight", &listed(&options.in_flight)]);
    }
    if !options.rates.is_empty() {
        load.args(["--rates", &listed(&options.rates)]);
    }
    let status = load.arg("--out").arg(&out).status().context("could not run the load")?;
    if !status.success() {
        bail!("the load on {} ended with {status}; its logs: {}", peer.name(), lab.dir().display());
    }
    summary::read(&out)
}

fn listed(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
