//! `cargo xtask`: reads the command line and calls one command.
//!
//! Separate from the library, so that tests link everything but the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use backstitch_dev::commands::{bench, demo, down, logs, restart, simulate, status, test, up};
use backstitch_dev::stack::{Stack, guard, workspace};
use clap::{Parser, Subcommand};

/// Backstitch on this machine: the real stack, the tests, the demo.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Options {
    /// The stack's folder [default: target/stack]
    #[arg(long, global = true, env = "BACKSTITCH_STACK_DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start Kafka, registry, Postgres and the services, and leave them running
    Up(up::Options),
    /// Show it: orders of every kind on the real stack
    Demo(demo::Options),
    /// Measure, on an optimised stack beside the usual one
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Stop everything
    Down {
        /// Remove data, logs and secrets too
        #[arg(long)]
        wipe: bool,
    },
    /// Restart components; services are built and migrated anew
    Restart {
        /// Components, such as `orchestrator` or `postgres`
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Show what runs, where, and whether it is well
    Status,
    /// Print a component's log, or where the logs are
    Logs {
        /// The component, such as `kafka` or `inventory#2`
        name: Option<String>,
        /// Go on printing what is added
        #[arg(short, long)]
        follow: bool,
    },
    /// Run the whole system in one thread, again and again, each time with other faults
    Simulate(simulate::Options),
    /// Check everything: format, lints, tests, and the system on a stack of its own
    Test {
        /// Only what needs no stack
        #[arg(long)]
        fast: bool,
    },
    /// Ends what a command started, should the command die (started by the commands themselves)
    #[command(hide = true)]
    Guard,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<bool> {
    let dir = match options.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => workspace().join("target/stack"),
    };
    match options.command {
        Command::Up(plan) => up::run(&dir, &plan)?,
        Command::Demo(options) => return demo::run(&dir, &options),
        Command::Bench(bench) => bench::run(&dir.with_file_name("bench-stack"), &bench)?,
        Command::Simulate(options) => return simulate::run(&options),
        Command::Down { wipe } => down::run(&dir, wipe)?,
        Command::Restart { names } => restart::run(&dir, &names)?,
        Command::Status => return status::run(&dir),
        Command::Logs { name, follow } => logs::run(&dir, name.as_deref(), follow)?,
        Command::Test { fast } => test::run(fast)?,
        Command::Guard => guard::stand(&Stack::open(&dir)?)?,
    }
    Ok(true)
}
