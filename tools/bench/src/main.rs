//! Loads a stack with sagas and measures it; some of the benches make its processes come and go. Started by
//! `cargo xtask bench`; its own program, so that the load is built and profiled apart from the tool.

mod books;
mod cost;
mod drain;
mod figures;
mod findings;
mod load;
mod pace;
mod postgres;
mod report;
mod saga;
mod stage;
mod takeover;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use backstitch_dev::commands::bench::{Cost, Drain, Takeover};
use clap::{Args, Parser, Subcommand};
use serde::de::DeserializeOwned;

use stage::Stage;

/// Four-step order sagas through five services, one of ten with a declined payment.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Windows of load on a running stack
    Saga(saga::Options),
    /// Orchestrators are killed, stopped and restarted
    Takeover(Job),
    /// A participant is away and comes back
    Drain(Job),
    /// More of everything
    Cost(Job),
}

/// A bench that brings its stack up itself.
#[derive(Debug, Args)]
struct Job {
    /// The stack's folder
    #[arg(long)]
    stack: PathBuf,
    /// What `cargo xtask bench` was told, JSON
    #[arg(long)]
    options: String,
    /// Where the figures are kept as JSON; a page is written beside it
    #[arg(long)]
    out: PathBuf,
    /// A folder with our programs, built elsewhere
    #[arg(long)]
    binaries: Option<PathBuf>,
}

impl Job {
    fn told<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.options).context("the options are not what this bench knows")
    }

    fn stage(&self) -> Stage {
        Stage::at(self.stack.clone(), self.binaries.clone())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    match Options::parse().command {
        Command::Saga(options) => saga::run(&options).await,
        Command::Takeover(job) => {
            let options = job.told::<Takeover>()?.in_full();
            takeover::run(job.stage(), &options).await?.keep(&job.out, options.ground.json)
        }
        Command::Drain(job) => {
            let options = job.told::<Drain>()?.in_full();
            drain::run(job.stage(), &options).await?.keep(&job.out, options.ground.json)
        }
        Command::Cost(job) => {
            let options = job.told::<Cost>()?.in_full();
            cost::run(job.stage(), &options).await?.keep(&job.out, options.ground.json)
        }
    }
}
