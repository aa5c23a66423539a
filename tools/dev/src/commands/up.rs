//! `cargo xtask up`: brings the stack up and leaves it running.
//!
//! Its own file, because it alone translates what a person asks for into a plan.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Component, Plan, Profile, Stack};

/// A server that `--only` can name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Server {
    Kafka,
    Registry,
    Postgres,
}

/// A server that `--with` can name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Observer {
    Jaeger,
    Prometheus,
}

/// What to bring up.
#[derive(Debug, Args)]
pub struct Options {
    /// Observers to start as well
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    with: Vec<Observer>,
    /// Kafka brokers, 1 or 3 [default: 1, or as the stack was made]
    #[arg(long)]
    brokers: Option<u16>,
    /// Partitions of each topic [default: 4, or as the stack was made]
    #[arg(long)]
    partitions: Option<u32>,
    /// Only these servers, without topics, schemas and services
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<Server>,
    /// Servers, topics and schemas, but not the services
    #[arg(long)]
    no_services: bool,
    /// Build the services with optimisation
    #[arg(long)]
    release: bool,
}

impl Options {
    fn plan(&self) -> Plan {
        let usual = Plan::default();
        let mut servers: BTreeSet<_> = self
            .only
            .iter()
            .flat_map(|server| match server {
                Server::Kafka => vec![Component::Kafka(1)],
                // Its schemas live there.
                Server::Registry => vec![Component::Registry, Component::Postgres],
                Server::Postgres => vec![Component::Postgres],
            })
            .collect();
        if servers.is_empty() {
            servers = usual.servers;
        }
        servers.extend(self.with.iter().map(|observer| match observer {
            Observer::Jaeger => Component::Jaeger,
            Observer::Prometheus => Component::Prometheus,
        }));
        Plan {
            brokers: self.brokers,
            partitions: self.partitions,
            servers,
            contracts: self.only.is_empty(),
            services: self.only.is_empty() && !self.no_services,
            profile: if self.release { Profile::Release } else { Profile::Dev },
            ..usual
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When a component does not start; those already started are ended again.
pub fn run(dir: &Path, options: &Options) -> Result<()> {
    let stack = Stack::open(dir)?;
    let guard = Guard::post(&stack)?;
    // Should anything fail, the guard ends what we started: it sees our end without a word.
    let started = stack.up(&options.plan(), &Board::new(), Some(&guard))?;
    guard.dismiss();
    let env = stack.layout().env_file();
    if started.is_empty() {
        println!("Everything runs already. Addresses: source {}", env.display());
    } else {
        println!("Up. Addresses: source {}   Stop: cargo xtask down", env.display());
    }
    Ok(())
}
