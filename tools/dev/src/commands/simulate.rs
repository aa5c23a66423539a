//! `cargo xtask simulate`: the whole system on one seed, for as many seeds or minutes as wanted.
//!
//! Its own file, because it needs no stack: only the simulator's program, built as tests are.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::stack::workspace;

const PACKAGE: &str = "backstitch-simulate";

/// What to run.
#[derive(Debug, Args)]
pub struct Options {
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed; without `--minutes` it is run alone, with all that happens
    #[arg(long)]
    seed: Option<u64>,
    /// Go on with more seeds for so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// Make this mistake, and see whether it is noticed
    #[arg(long)]
    mutation: Option<String>,
}

/// Runs the command. Whether every seed ended well.
///
/// # Errors
/// When the simulator cannot be started.
pub fn run(options: &Options) -> Result<bool> {
    let mut simulate = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    simulate.current_dir(workspace()).args(["run", "--quiet", "--package", PACKAGE, "--"]);
    simulate.args(["--seeds", &options.seeds.to_string()]);
    if let Some(seed) = options.seed {
        simulate.args(["--seed", &seed.to_string()]);
    }
    if let Some(minutes) = options.minutes {
        simulate.args(["--minutes", &minutes.to_string()]);
    }
    if let Some(mutation) = &options.mutation {
        simulate.args(["--mutation", mutation]);
    }
    let status = simulate.status().context("could not run the simulator")?;
    Ok(status.success())
}
