//! `cargo xtask bench`: an optimised stack of its own, and a load on it.
//!
//! Its own file, because figures mean something only on a stack that nothing else uses.

mod event_stores;
mod options;
pub mod peers;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Component, Plan, Profile, ServiceSettings, Stack, program, workspace};

pub use options::{Cost, Drain, Fault, Ground, Growth, Membership, Protocol, Takeover};

/// The load's own program.
pub const PACKAGE: &str = "backstitch-bench";
const EVENT_STORE_PACKAGE: &str = "backstitch-bench-event-store";
const ENGINE_PACKAGE: &str = "backstitch-testkit";
const SERVICES: [&str; 5] = ["order", "inventory", "payment", "shipping", "orchestrator"];

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Sagas a second, start to end, CPU per saga, through all five services
    Saga(Saga),
    /// Orchestrators killed, stopped and restarted under load: how long sagas stand still, whether any is lost or doubled
    Takeover(Takeover),
    /// A participant that was down comes back: how fast what waited is done, in which order, and when it was said to be
    Drain(Drain),
    /// How cost grows: with lanes, orchestrators, finished sagas behind, live sagas, timers, data, one hot product
    Cost(Cost),
    /// Appends a second alone, in batches, by commands and under conflicts; recovery; catching up
    EventStore(EventStore),
    /// The pure engine alone, in one thread: time and allocations an input, size of a live saga
    Engine(Engine),
    /// The same sagas on Restate, DBOS and Temporal, in turn with ours
    Peers(peers::Options),
}

/// How to load the engine.
#[derive(Debug, Args)]
pub struct Engine {
    /// How often each saga is run in a round
    #[arg(long, default_value_t = 5_000)]
    sagas: u32,
    /// Rounds; the median is shown
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Print JSON only; it is written to target/bench-engine.json in any case
    #[arg(long)]
    json: bool,
}

/// How to load the event store.
#[derive(Debug, Args)]
pub struct EventStore {
    /// Length of each window
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Windows of each load; the median is shown
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Events that are there before
    #[arg(long, default_value_t = 0)]
    stored: u64,
    /// Events that a projection catches up with, and is then rebuilt from while it serves
    #[arg(long, default_value_t = 100_000)]
    rebuild: u64,
    /// Only loads whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Other event stores too, in turn with ours: single events, batches and recovery alone
    #[arg(long)]
    peers: bool,
    /// A folder with our load, built with optimisation elsewhere
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Print JSON only; it is written to target/bench-event-store.json in any case
    #[arg(long)]
    json: bool,
}

/// How long is measured, and from when on.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Windows {
    /// Length of each window
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// What passes before a window begins to count. A broker that was just started is not at its best for half a minute
    #[arg(long, default_value_t = 5)]
    warm_up_seconds: u32,
}

impl Windows {
    /// As the loads are told.
    fn told(self, load: &mut Command) {
        load.args(["--seconds", &self.seconds.to_string(), "--warm-up-seconds", &self.warm_up_seconds.to_string()]);
    }
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
    #[command(flatten)]
    windows: Windows,
    /// Lanes: partitions of each topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Gateway and carrier answer over HTTP, as simulators, instead of within the process
    #[arg(long)]
    simulators: bool,
    /// The order service builds its read models meanwhile
    #[arg(long)]
    read_models: bool,
    #[command(flatten)]
    ground: Ground,
}

/// Runs the command, on a stack beside the usual one.
///
/// # Errors
/// When the stack does not come up or the load fails.
pub fn run(dir: &Path, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Saga(saga) => {
            build_load(&saga.ground)?;
            let settings = workload(!saga.simulators, saga.read_models);
            let partitions = Some(saga.partitions);
            let plan = Plan { settings, partitions, ..everything(binaries(&saga.ground)?) };
            on_stack(dir, &plan, saga.ground.keep, |stack| load(stack, saga))
        }
        Bench::Takeover(takeover) => acted_by_load(dir, "takeover", &takeover.ground, takeover),
        Bench::Drain(drain) => acted_by_load(dir, "drain", &drain.ground, drain),
        Bench::Cost(cost) => acted_by_load(dir, "cost", &cost.ground, cost),
        Bench::EventStore(event_store) if event_store.peers => event_stores::run(dir, event_store),
        Bench::EventStore(event_store) => {
            on_event_stores(dir, event_store, |stack| load_event_store(stack, event_store))
        }
        Bench::Engine(engine) => load_engine(engine),
        Bench::Peers(options) => peers::run(dir, options),
    }
}

fn on_event_stores(dir: &Path, options: &EventStore, load: impl FnOnce(&Stack) -> Result<()>) -> Result<()> {
    let binaries = folder(options.binaries.as_deref())?;
    if binaries.is_none() {
        build(EVENT_STORE_PACKAGE)?;
    }
    on_stack(dir, &postgres_alone(binaries), false, load)
}

/// As every process can be told it.
fn folder(named: Option<&Path>) -> Result<Option<PathBuf>> {
    let found = |folder: &Path| folder.canonicalize().with_context(|| format!("no folder {}", folder.display()));
    named.map(found).transpose()
}

/// The whole stack, optimised, with the work that others are compared by.
fn everything(binaries: Option<PathBuf>) -> Plan {
    Plan { profile: Profile::Release, binaries, settings: workload(true, false), ..Plan::default() }
}

/// What the services are told so that they do the work that is measured. By itself that is what others do too: gateway and
/// carrier answer within the process, and there are no read models.
#[must_use]
pub fn workload(instant: bool, read_models: bool) -> ServiceSettings {
    let mut settings = ServiceSettings::new();
    let mut say = |service: &str, name: &str, value: &str| {
        settings.entry(service.to_owned()).or_default().insert(format!("BACKSTITCH_{name}"), value.to_owned());
    };
    // Every order is driven by a saga, and nobody else need hear of it.
    for service in ["order", "payment", "shipping"] {
        say(service, "CHOREOGRAPHY__ENABLED", "false");
    }
    if instant {
        say("payment", "GATEWAY__KIND", "instant");
        say("shipping", "CARRIER__KIND", "instant");
    }
    if !read_models {
        say("order", "PROJECTIONS__RUN", "false");
    }
    settings
}

/// Postgres, sized as in production.
fn postgres_alone(binaries: Option<PathBuf>) -> Plan {
    let servers = [Component::Postgres].into();
    Plan { profile: Profile::Release, servers, contracts: false, services: false, binaries, ..Plan::default() }
}

/// A bench's stack is its own: one that was made with another number of partitions makes room for a new one.
fn laid_out(dir: &Path, partitions: Option<u32>) -> Result<Stack> {
    let stack = Stack::open(dir)?;
    if partitions.is_none_or(|wanted| wanted == stack.partitions()) { Ok(stack) } else { Stack::anew(dir) }
}

fn on_stack(dir: &Path, plan: &Plan, keep: bool, load: impl FnOnce(&Stack) -> Result<()>) -> Result<()> {
    let stack = laid_out(dir, plan.partitions)?;
    let guard = Guard::post(&stack)?;
    guard.watch_everything();
    stack.up(plan, &Board::new(), Some(&guard))?;
    let outcome = load(&stack);
    if !keep {
        stack.stop_all(stack.running())?;
    }
    guard.dismiss();
    outcome
}

/// Lets the load bring the stack up and down itself: what it measures needs processes that come and go.
fn acted_by_load(dir: &Path, name: &str, ground: &Ground, options: &impl Serialize) -> Result<()> {
    build_load(ground)?;
    let stack = Stack::open(dir)?;
    let guard = Guard::post(&stack)?;
    guard.watch_everything();
    let mut load = Command::new(load_program(ground));
    load.env_remove("RUST_BACKTRACE").arg(name).arg("--stack").arg(stack.layout().root());
    load.arg("--out").arg(workspace().join(format!("target/bench-{name}.json")));
    load.arg("--options").arg(serde_json::to_string(options)?);
    if let Some(binaries) = binaries(ground)? {
        load.arg("--binaries").arg(binaries);
    }
    let outcome = load.status().context("could not run the load");
    // It may have laid the stack out anew.
    let stack = Stack::open(dir)?;
    if !ground.keep {
        stack.stop_all(stack.running())?;
    }
    guard.dismiss();
    let status = outcome?;
    ensure!(status.success(), "the load ended with {status}");
    Ok(())
}

/// The folder as every process can be told it.
fn binaries(ground: &Ground) -> Result<Option<PathBuf>> {
    folder(ground.binaries.as_deref())
}

/// The load, if it was built elsewhere with the rest.
fn ready_load(ground: &Ground) -> Option<PathBuf> {
    ground.binaries.as_ref().map(|folder| folder.join(PACKAGE)).filter(|program| program.is_file())
}

fn load_profile(ground: &Ground) -> Profile {
    if ground.binaries.is_some() { Profile::Dev } else { Profile::Release }
}

fn load_program(ground: &Ground) -> PathBuf {
    ready_load(ground).unwrap_or_else(|| program(load_profile(ground), PACKAGE))
}

fn build_load(ground: &Ground) -> Result<()> {
    if ready_load(ground).is_some() { Ok(()) } else { build_as(load_profile(ground), PACKAGE) }
}

fn build(package: &str) -> Result<()> {
    build_as(Profile::Release, package)
}

fn build_as(profile: Profile, package: &str) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--package", package]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let status = cargo.status().context("could not run cargo")?;
    ensure!(status.success(), "could not build {package}");
    Ok(())
}

fn load_engine(options: &Engine) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["run", "--quiet", "--release", "--package", ENGINE_PACKAGE]);
    cargo.args(["--example", "engine_speed", "--", "--sagas", &options.sagas.to_string()]);
    cargo.args(["--runs", &options.runs.to_string()]);
    cargo.arg("--out").arg(workspace().join("target/bench-engine.json"));
    if options.json {
        cargo.arg("--json");
    }
    let status = cargo.status().context("could not run cargo")?;
    ensure!(status.success(), "the load ended with {status}");
    Ok(())
}

fn load_event_store(stack: &Stack, options: &EventStore) -> Result<()> {
    let mut load = event_store_command(stack, options.seconds, options.runs, &options.only)?;
    load.args(["--stored", &options.stored.to_string(), "--rebuild", &options.rebuild.to_string()]);
    load.arg("--out").arg(workspace().join("target/bench-event-store.json"));
    shown(load, options.json)
}

/// Runs a load that prints its figures itself.
fn shown(mut load: Command, json: bool) -> Result<()> {
    if json {
        load.arg("--json");
    }
    let status = load.status().context("could not run the load")?;
    ensure!(status.success(), "the load ended with {status}");
    Ok(())
}

fn event_store_command(stack: &Stack, seconds: u32, runs: u32, only: &str) -> Result<Command> {
    let mut load = Command::new(stack.program(EVENT_STORE_PACKAGE));
    load.envs(stack.env()?).env_remove("RUST_BACKTRACE");
    load.args(["--seconds", &seconds.to_string(), "--runs", &runs.to_string(), "--only", only]);
    Ok(load)
}

fn load(stack: &Stack, saga: &Saga) -> Result<()> {
    let load = saga_command(stack, load_program(&saga.ground), &saga.in_flight, &saga.rates, saga.windows)?;
    shown(load, saga.ground.json)
}

fn saga_command(stack: &Stack, program: PathBuf, in_flight: &str, rates: &str, windows: Windows) -> Result<Command> {
    let mut metrics = Vec::new();
    for service in SERVICES {
        metrics.push(format!("{service}={}", stack.http_url(service)?));
    }
    let mut load = Command::new(program);
    load.envs(stack.env()?).env_remove("RUST_BACKTRACE").arg("saga").arg("--stack").arg(stack.layout().root());
    load.args(["--in-flight", in_flight, "--rates", rates]);
    windows.told(&mut load);
    load.args(["--metrics", &metrics.join(",")]);
    Ok(load)
}
