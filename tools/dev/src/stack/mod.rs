//! A stack: Kafka, registry, Postgres and our services as local processes, each started, stopped and killed by name.
//!
//! The library part of the tool, so that system tests handle the same processes by the same code as the commands.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

mod component;
mod contracts;
mod environment;
pub mod guard;
mod kafka;
mod layout;
mod memory;
mod observers;
mod postgres;
mod probe;
mod process;
mod registry;
mod services;
mod up;

pub use component::{Component, Service, UnknownComponent};
pub use layout::{Layout, workspace};
pub use probe::{get, tail};
pub use process::Identity;
pub use services::Profile;
pub use up::Plan;

use memory::Memory;
use process::Launch;

use crate::progress::{Board, Task};

const START: Duration = Duration::from_secs(120);

/// One stack on this machine.
#[derive(Debug)]
pub struct Stack {
    layout: Layout,
    memory: Mutex<Memory>,
    profile: Profile,
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
        let memory = Mutex::new(Memory::load(&layout.memory_file())?);
        Ok(Self { layout, memory, profile: Profile::default() })
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
        let mut stack = Self::open(&Self::usual_dir())?;
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
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Brokers of its Kafka.
    #[must_use]
    pub fn brokers(&self) -> u16 {
        self.with_memory(|memory| memory.brokers.max(1))
    }

    /// Partitions of each topic.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.with_memory(|memory| memory.partitions.max(1))
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

    /// Starts one component with its usual settings and these on top, and waits until it is ready.
    /// Nothing happens if it runs already.
    ///
    /// # Errors
    /// When it is unknown or does not become ready.
    pub fn start(&self, name: &str, extra: &[(&str, &str)]) -> Result<()> {
        self.start_component(name.parse()?, extra, &Board::quiet().task(name))
    }

    /// Waits until a running component is well, as after [`Self::thaw`] or when something it needs came back.
    ///
    /// # Errors
    /// When it is unknown, does not run, or is not well in time.
    pub fn wait_ready(&self, name: &str) -> Result<()> {
        let component = name.parse()?;
        let Some(process) = self.process(component) else { bail!("{name} does not run") };
        let log = self.layout.log(&component.to_string());
        probe::until_ready(process, &log, START, || self.probe(component))
            .with_context(|| format!("{name} is not well"))
    }

    /// Ends one component in good order.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn stop(&self, name: &str) -> Result<()> {
        self.stop_component(name.parse()?)
    }

    /// Kills one component on the spot, as a crash would, with all its children.
    ///
    /// # Errors
    /// When it is unknown or does not run.
    pub fn kill(&self, name: &str) -> Result<()> {
        let component = name.parse()?;
        let Some(process) = self.process(component) else { bail!("{name} does not run") };
        process.end(Signal::SIGKILL, Duration::from_secs(10));
        self.forget(component)
    }

    /// Freezes one component, as a long pause of its machine would.
    ///
    /// # Errors
    /// When it is unknown or does not run.
    pub fn freeze(&self, name: &str) -> Result<()> {
        self.signal(name, Signal::SIGSTOP)
    }

    /// Lets a frozen component go on.
    ///
    /// # Errors
    /// When it is unknown or does not run.
    pub fn thaw(&self, name: &str) -> Result<()> {
        self.signal(name, Signal::SIGCONT)
    }

    /// Ends one component in good order and starts it again.
    ///
    /// # Errors
    /// When it is unknown or does not come back.
    pub fn restart(&self, name: &str) -> Result<()> {
        self.stop(name)?;
        self.start(name, &[])
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

    /// Ends components in good order, those that need others first.
    ///
    /// # Errors
    /// When one cannot be ended.
    pub fn stop_all(&self, mut components: Vec<Component>) -> Result<()> {
        components.sort();
        // Ours first, then what they stand on; each group at once.
        let (ours, theirs): (Vec<_>, Vec<_>) = components.into_iter().partition(|it| services::package(*it).is_some());
        let (postgres, theirs): (Vec<_>, Vec<_>) = theirs.into_iter().partition(|it| *it == Component::Postgres);
        for group in [ours, theirs, postgres] {
            let ends: Vec<Result<()>> = std::thread::scope(|scope| {
                let handles: Vec<_> = group.iter().map(|it| scope.spawn(|| self.stop_component(*it))).collect();
                handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
            });
            ends.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
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

    fn start_component(&self, component: Component, extra: &[(&str, &str)], task: &Task) -> Result<()> {
        if self.is_running(component) {
            return Ok(());
        }
        task.step("preparing");
        let name = component.to_string();
        let mut launch = self.launch(component, task)?;
        launch.env.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let log = self.layout.log(&name);
        task.step("starting");
        let process = launch.spawn(&log).with_context(|| format!("could not start {name}"))?;
        fs::write(self.layout.pid_file(&name), serde_json::to_vec(&process)?)?;
        probe::until_ready(process, &log, START, || self.probe(component))
            .with_context(|| format!("could not start {name}"))
    }

    fn launch(&self, component: Component, task: &Task) -> Result<Launch> {
        match component {
            Component::Postgres => postgres::launch(self, task),
            Component::Kafka(node) => kafka::launch(self, node, task),
            Component::Registry => registry::launch(self, task),
            Component::Jaeger => observers::jaeger(self, task),
            Component::Prometheus => observers::prometheus(self),
            Component::Simulators | Component::Service(..) => services::launch(self, component),
        }
    }

    fn stop_component(&self, component: Component) -> Result<()> {
        if let Some(process) = self.process(component) {
            process.signal(Signal::SIGCONT);
            process.end(component.polite_signal(), component.patience());
        }
        self.forget(component)
    }

    fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        let Some(process) = self.process(name.parse()?) else { bail!("{name} does not run") };
        process.signal(signal);
        Ok(())
    }

    fn forget(&self, component: Component) -> Result<()> {
        match fs::remove_file(self.layout.pid_file(&component.to_string())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // A panic elsewhere cannot leave it half-changed: each change is one assignment.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_memory<T>(&self, read: impl FnOnce(&Memory) -> T) -> T {
        read(&self.memory())
    }

    fn remember(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        let mut memory = self.memory();
        change(&mut memory);
        memory.save(&self.layout.memory_file())
    }

    fn port(&self, name: &str) -> Result<u16> {
        self.chosen(|memory| memory.port(name))
    }

    fn running_port(&self, component: Component, name: &str) -> Result<u16> {
        if self.is_running(component) { self.port(name) } else { bail!("{component} does not run") }
    }

    fn secret(&self, name: &str) -> Result<String> {
        self.chosen(|memory| memory.secret(name))
    }

    /// Saves only what is new.
    fn chosen<T>(&self, choose: impl FnOnce(&mut Memory) -> Result<T>) -> Result<T> {
        let mut memory = self.memory();
        let before = memory.clone();
        let choice = choose(&mut memory)?;
        if *memory != before {
            memory.save(&self.layout.memory_file())?;
        }
        Ok(choice)
    }
}
