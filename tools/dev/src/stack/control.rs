//! Starting, ending, killing and freezing components by name.
//!
//! Separate from what a stack is, because this part acts: it is what system tests call.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::component::Component;
use super::process::Launch;
use super::{Stack, kafka, observers, postgres, probe, registry, services};
use crate::progress::{Board, Task};

const START: Duration = Duration::from_secs(120);

impl Stack {
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

    pub(super) fn start_component(&self, component: Component, extra: &[(&str, &str)], task: &Task) -> Result<()> {
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
}
