//! `cargo xtask bench`: an optimised stack of its own, and a load on it.
//!
//! Its own file, because figures mean something only on a stack that nothing else uses.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Plan, Profile, Stack, program};

/// The load's own program.
pub const PACKAGE: &str = "backstitch-bench";
const SERVICES: [&str; 5] = ["order", "inventory", "payment", "shipping", "orchestrator"];

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Sagas a second, start to end, CPU per saga, through all five services
    Saga(Saga),
}

/// How to load.
#[derive(Debug, Args)]
pub struct Saga {
    /// Sagas in flight, for each closed loop
    #[arg(long, default_value = "64,256,1024")]
    in_flight: String,
    /// Sagas a second, for each open loop
    #[arg(long, default_value = "50")]
    rates: String,
    /// Length of each window
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Print JSON only
    #[arg(long)]
    json: bool,
    /// Leave the stack running afterwards
    #[arg(long)]
    keep: bool,
}

/// Runs the command, on a stack beside the usual one.
///
/// # Errors
/// When the stack does not come up or the load fails.
pub fn run(dir: &Path, bench: &Bench) -> Result<()> {
    let Bench::Saga(saga) = bench;
    let stack = Stack::open(dir)?;
    let guard = Guard::post(&stack)?;
    guard.watch_everything();
    stack.up(&Plan { profile: Profile::Release, ..Plan::default() }, &Board::new(), Some(&guard))?;
    let outcome = load(&stack, saga);
    if !saga.keep {
        stack.stop_all(stack.running())?;
    }
    guard.dismiss();
    outcome
}

fn load(stack: &Stack, saga: &Saga) -> Result<()> {
    let mut metrics = Vec::new();
    for service in SERVICES {
        metrics.push(format!("{service}={}", stack.http_url(service)?));
    }
    let mut load = Command::new(program(stack.profile(), PACKAGE));
    load.envs(stack.env()?).env_remove("RUST_BACKTRACE").arg("--stack").arg(stack.layout().root());
    load.args(["--in-flight", &saga.in_flight, "--rates", &saga.rates, "--seconds", &saga.seconds.to_string()]);
    load.args(["--metrics", &metrics.join(",")]);
    if saga.json {
        load.arg("--json");
    }
    let status = load.status().context("could not run the load")?;
    ensure!(status.success(), "the load ended with {status}");
    Ok(())
}
