//! Our own processes: how they are built, and which settings each of them gets.
//!
//! The one place that maps a stack to the services' configuration; nothing else spells their variables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::commands::{bench, demo};

use super::component::{Component, Service};
use super::layout::workspace;
use super::process::Launch;
use super::{Stack, contracts, kafka, registry};

/// Whether to build and run with optimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Quick to build.
    #[default]
    Dev,
    /// Quick to run; for measuring.
    Release,
}

impl Profile {
    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Settings by service, each a variable of its environment.
pub type ServiceSettings = BTreeMap<String, BTreeMap<String, String>>;

/// Builds the command line tool and those of the components that are ours; cargo's own progress is shown.
///
/// All in one call: cargo would compile shared dependencies once more for each other choice of packages.
///
/// # Errors
/// When they do not compile.
pub(super) fn build(profile: Profile, components: &[Component]) -> Result<()> {
    let mut packages = [contracts::PACKAGE, demo::PACKAGE, bench::PACKAGE].map(str::to_owned).to_vec();
    packages.extend(components.iter().filter_map(|component| package(*component)));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--bins"]).stdin(Stdio::null());
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    for package in &packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().context("could not run cargo")?;
    ensure!(status.success(), "could not build {}", packages.join(", "));
    Ok(())
}

/// Where a built program lies.
#[must_use]
pub fn program(profile: Profile, name: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir));
    target.join(profile.folder()).join(name)
}

/// The package, which is also the program, of each of our processes.
#[must_use]
pub(super) fn package(component: Component) -> Option<String> {
    match component {
        Component::Simulators => Some("backstitch-simulators".to_owned()),
        Component::Service(service, _) => Some(format!("backstitch-{}", service.name())),
        _ => None,
    }
}

/// How to start one of our processes.
pub(super) fn launch(stack: &Stack, component: Component) -> Result<Launch> {
    let Some(package) = package(component) else { bail!("{component} is none of our programs") };
    let mut launch = Launch::new(stack.program(&package), workspace());
    if stack.profile() == Profile::Release {
        // Measured as it ships: capturing backtraces is dear.
        launch = launch.without("RUST_BACKTRACE");
    }
    match component {
        Component::Service(service, _) => launch.env = settings(stack, service, component)?,
        _ => {
            let data = stack.layout().data("simulators");
            std::fs::create_dir_all(&data)?;
            launch = launch
                .arg("--listen")
                .arg(format!("127.0.0.1:{}", stack.port("simulators")?))
                .arg("--data")
                .arg(data.join("calls.jsonl"));
        }
    }
    Ok(launch)
}

/// Brings a service's database to its newest shape.
pub(super) fn migrate(stack: &Stack, service: Service) -> Result<()> {
    let launch = launch(stack, Component::Service(service, 1))?.arg("migrate");
    let output = launch.command().output().with_context(|| format!("could not run {}", launch.program.display()))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("could not migrate the database of {}: {}", service.name(), String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

/// Read by the services' runtime.
const WORKERS: &str = "TOKIO_WORKER_THREADS";

/// Threads of a service's runtime. Five services share this machine with Kafka and Postgres: as many threads each as there are
/// cores only wake each other.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 4).max(1))
}

/// The variables of one service.
fn settings(stack: &Stack, service: Service, component: Component) -> Result<BTreeMap<String, String>> {
    let simulators = format!("http://127.0.0.1:{}", stack.port("simulators")?);
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(format!("BACKSTITCH_{name}"), value);
    set("KAFKA__BOOTSTRAP", kafka::bootstrap(stack)?);
    set("REGISTRY__URL", registry_url(stack)?);
    set("DATABASE__URL", database_url(stack, service.name())?);
    set("HTTP__LISTEN", format!("127.0.0.1:{}", stack.port(&component.to_string())?));
    set("AUTH__TOKENS", format!("[{{name=\"local\",role=\"admin\",token=\"{}\"}}]", stack.secret("admin token")?));
    if let Ok(port) = stack.running_port(Component::Jaeger, "jaeger otlp") {
        set("TELEMETRY__OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
    }
    match service {
        Service::Payment => set("GATEWAY__URL", simulators),
        Service::Shipping => set("CARRIER__URL", simulators),
        Service::Orchestrator => set("SAGAS__DIR", workspace().join("sagas").display().to_string()),
        Service::Order => set("READ_DATABASE__URL", database_url(stack, "order_read")?),
        Service::Inventory => None,
    };
    if std::env::var_os(WORKERS).is_none() {
        settings.insert(WORKERS.to_owned(), workers().to_string());
    }
    let beyond = stack.memory.read().settings;
    settings.extend(beyond.get(service.name()).cloned().unwrap_or_default());
    Ok(settings)
}

/// Where the registry answers in Confluent's protocol.
pub(super) fn registry_url(stack: &Stack) -> Result<String> {
    Ok(format!("http://127.0.0.1:{}{}", stack.port("registry")?, registry::API))
}

/// Where one database is, with its role's password.
pub(super) fn database_url(stack: &Stack, name: &str) -> Result<String> {
    Ok(format!("postgres://{name}:{}@127.0.0.1:{}/{name}", stack.secret(name)?, stack.port("postgres")?))
}
