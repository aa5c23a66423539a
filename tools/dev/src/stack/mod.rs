//! A stack: Kafka, registry, Postgres and our services as local processes, each started, stopped and killed by name.
//!
//! The library part of the tool, so that system tests handle the same processes by the same code as the commands.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

mod component;
mod contracts;
mod control;
mod environment;
pub mod guard;
mod kafka;
mod layout;
mod memory;
mod observers;
mod postgres;
pub(crate) mod probe;
pub(crate) mod process;
mod registry;
mod services;
mod up;

pub use component::{Component, Service, UnknownComponent};
pub use layout::{Layout, workspace};
pub use probe::{get, tail};
pub use process::Identity;
pub use services::{Profile, ServiceSettings, program};
pub use up::Plan;

use memory::Memory;

use crate::progress::Board;

/// One stack on this machine.
#[derive(Debug)]
pub struct Stack {
    layout: Layout,
    memory: Memory,
}

impl Stack {
    /// The stack in `dir`, running or not.
    ///
    /// # Errors
    /// When the folder cannot be made or what it remembers cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        for folder in ["pids", "logs", "data"] {
            fs::create_dir_all(dir.join(folder)).with_context(|| format!("could not create {}", dir.display()))?;
        }
        let layout = Layout::new(dir.canonicalize()?);
        let memory = Memory::open(&layout)?;
        Ok(Self { layout, memory })
    }

    /// The folder named by `BACKSTITCH_STACK_DIR`, else `target/stack`.
    #[must_use]
    pub fn usual_dir() -> PathBuf {
        std::env::var_os("BACKSTITCH_STACK_DIR").map_or_else(|| workspace().join("target/stack"), PathBuf::from)
    }

    /// The whole stack, services included, running; whatever already runs is left as it is. For tests.
    ///
    /// # Errors
    /// When a component does not start.
    pub fn up_shared() -> Result<Self> {
        let stack = Self::open(&Self::usual_dir())?;
        stack.up(&Plan::default(), &Board::quiet(), None)?;
        Ok(stack)
    }

    /// Its folder.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How our programs were built.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.memory.read().profile
    }

    /// Where one of our programs lies: where this checkout builds it, or in the folder that the plan named.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let facts = self.memory.read();
        facts.binaries.map_or_else(|| program(facts.profile, name), |folder| folder.join(name))
    }

    /// Brokers of its Kafka.
    #[must_use]
    pub fn brokers(&self) -> u16 {
        self.memory.read().brokers.max(1)
    }

    /// Partitions of each topic.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.memory.read().partitions.max(1)
    }

    /// Name and value of each variable of the written environment.
    ///
    /// # Errors
    /// When a port cannot be chosen.
    pub fn env(&self) -> Result<BTreeMap<&'static str, String>> {
        environment::of(self)
    }

    /// The HTTP address of a component or replica, such as `inventory#2`.
    ///
    /// # Errors
    /// When no component has this name.
    pub fn http_url(&self, name: &str) -> Result<String> {
        Ok(format!("http://{}", self.address(name.parse()?)?))
    }

    /// Host and port of a component.
    ///
    /// # Errors
    /// When a port cannot be chosen.
    pub fn address(&self, component: Component) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.port(&component.to_string())?))
    }

    /// The address of a service's database.
    ///
    /// # Errors
    /// When its password cannot be drawn.
    pub fn database_url(&self, database: &str) -> Result<String> {
        services::database_url(self, database)
    }

    /// The process of a component, if it runs.
    #[must_use]
    pub fn process(&self, component: Component) -> Option<Identity> {
        let text = fs::read(self.layout.pid_file(&component.to_string())).ok()?;
        serde_json::from_slice::<Identity>(&text).ok().filter(|process| process.is_alive())
    }

    /// Whether a component runs.
    #[must_use]
    pub fn is_running(&self, component: Component) -> bool {
        self.process(component).is_some()
    }

    /// Every component that runs, in the order in which they start.
    #[must_use]
    pub fn running(&self) -> Vec<Component> {
        let entries = fs::read_dir(self.layout.pids()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
        let mut found: Vec<Component> =
            names.filter_map(|name| name.parse().ok()).filter(|it| self.is_running(*it)).collect();
        found.sort();
        found
    }

    /// Asks a component, in its own protocol, whether it is well.
    ///
    /// # Errors
    /// When it is not.
    pub fn probe(&self, component: Component) -> Result<()> {
        let port = self.port(&component.to_string())?;
        match component {
            Component::Postgres => probe::postgres(port),
            Component::Kafka(_) => probe::kafka(port, self.brokers()),
            Component::Registry => probe::http(port, &format!("{}/subjects", registry::API)),
            Component::Jaeger => probe::http(port, "/"),
            Component::Prometheus => probe::http(port, "/-/ready"),
            Component::Simulators => probe::http(port, "/livez"),
            Component::Service(..) => probe::http(port, "/readyz"),
        }
    }

    /// Taken by whoever starts or stops several components, so that two commands do not do it at once.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn lock(&self) -> Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.layout.lock_file())?;
        file.lock().context("could not lock the stack")?;
        Ok(file)
    }

    /// A new stack in `dir`: what runs in an earlier one is ended, and what it left is removed.
    ///
    /// # Errors
    /// When something cannot be ended or removed.
    pub fn anew(dir: &Path) -> Result<Self> {
        let old = Self::open(dir)?;
        old.stop_all(old.running())?;
        old.wipe()?;
        Self::open(dir)
    }

    /// Removes all that a stopped stack left on disk.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn wipe(self) -> Result<()> {
        postgres::wipe(&self)?;
        fs::remove_dir_all(self.layout.root())
            .with_context(|| format!("could not remove {}", self.layout.root().display()))
    }

    /// The port of this name, chosen when first asked for.
    pub(crate) fn port(&self, name: &str) -> Result<u16> {
        self.memory.change(|facts| facts.port(name))
    }

    /// A port for something that does not run: the remembered one, unless somebody else took it meanwhile.
    pub(crate) fn free_port(&self, name: &str) -> Result<u16> {
        self.memory.change(|facts| facts.reclaim_port(name))
    }

    fn running_port(&self, component: Component, name: &str) -> Result<u16> {
        if self.is_running(component) { self.port(name) } else { bail!("{component} does not run") }
    }

    /// The secret of this name, drawn when first asked for.
    pub(crate) fn secret(&self, name: &str) -> Result<String> {
        self.memory.change(|facts| facts.secret(name))
    }
}
