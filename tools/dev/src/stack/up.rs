//! Bringing a stack up: what to start, in which order, and what is done in between.
//!
//! Separate from the single component, because the order is knowledge about the whole.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::thread::ScopedJoinHandle;

use anyhow::{Result, anyhow, bail, ensure};

use super::component::{Component, Service};
use super::guard::Guard;
use super::services::{self, Profile, ServiceSettings};
use super::{Stack, contracts, environment, kafka, registry};
use crate::machine;
use crate::progress::Board;

/// Our own programs, the simulators first.
const OURS: [Component; 6] = [
    Component::Simulators,
    Component::Service(Service::Order, 1),
    Component::Service(Service::Inventory, 1),
    Component::Service(Service::Payment, 1),
    Component::Service(Service::Shipping, 1),
    Component::Service(Service::Orchestrator, 1),
];

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Kafka brokers, 1 or 3; none: as it was, or 1.
    pub brokers: Option<u16>,
    /// Partitions of each topic; none: as it was, or 4.
    pub partitions: Option<u32>,
    /// The servers to start.
    pub servers: BTreeSet<Component>,
    /// Whether to create topics and register schemas.
    pub contracts: bool,
    /// Whether to start our services.
    pub services: bool,
    /// How to build them.
    pub profile: Profile,
    /// A folder with our programs, built elsewhere: then nothing is built.
    pub binaries: Option<PathBuf>,
    /// What services are told beyond the usual.
    pub settings: ServiceSettings,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            brokers: None,
            partitions: None,
            servers: BTreeSet::from([Component::Postgres, Component::Kafka(1), Component::Registry]),
            contracts: true,
            services: true,
            profile: Profile::Dev,
            binaries: None,
            settings: ServiceSettings::new(),
        }
    }
}

impl Stack {
    /// Starts what the plan wants and does not run yet. Returns what was started.
    ///
    /// # Errors
    /// When a component does not become ready, or the stack exists with another size.
    pub fn up(&self, plan: &Plan, board: &Board, guard: Option<&Guard>) -> Result<Vec<Component>> {
        machine::check(machine::FOR_SERVERS)?;
        let builds = plan.binaries.is_none() && (plan.contracts || plan.services);
        if builds {
            machine::check(machine::FOR_BUILDING)?;
        }
        let _lock = self.lock()?;
        self.settle(plan)?;
        self.choose_ports(plan)?;
        let mut started = self.start_servers(&self.servers(plan), board, guard)?;
        environment::write(self)?;
        if builds {
            services::build(plan.profile, if plan.services { &OURS } else { &[] })?;
        }
        if plan.contracts {
            self.publish_contracts(board)?;
        }
        if plan.services {
            started.extend(self.start_services(board, guard)?);
        }
        environment::write(self)?;
        Ok(started)
    }

    /// The registry stands on Postgres; all else on nothing. Downloads do not wait for each other.
    fn start_servers(&self, servers: &[Component], board: &Board, guard: Option<&Guard>) -> Result<Vec<Component>> {
        let (chain, others): (Vec<_>, Vec<_>) =
            servers.iter().partition(|it| matches!(it, Component::Postgres | Component::Registry));
        std::thread::scope(|scope| {
            let others = scope.spawn(|| self.start_group(&others, board, guard));
            let download = scope.spawn(|| self.download_ahead(&chain, board));
            let (registry, postgres): (Vec<_>, Vec<_>) = chain.iter().partition(|it| **it == Component::Registry);
            let mut started = self.start_group(&postgres, board, guard)?;
            joined(download)?;
            started.extend(self.start_group(&registry, board, guard)?);
            started.extend(joined(others)?);
            Ok(started)
        })
    }

    fn download_ahead(&self, servers: &[Component], board: &Board) -> Result<()> {
        for component in servers {
            if *component == Component::Registry && !self.is_running(*component) {
                let task = board.task("registry");
                let outcome = registry::install(&task);
                task.dismiss();
                outcome?;
            }
        }
        Ok(())
    }

    /// Ends components and starts them again; our own are built and their databases migrated in between.
    ///
    /// # Errors
    /// When one does not compile, migrate or come back.
    pub fn restart_all(&self, components: &[Component], board: &Board) -> Result<()> {
        if self.memory.read().binaries.is_none() {
            services::build(self.profile(), components)?;
        }
        let _lock = self.lock()?;
        self.stop_all(components.to_vec())?;
        let mut components = components.to_vec();
        components.sort();
        for component in components {
            if let Component::Service(service, 1) = component {
                services::migrate(self, service)?;
            }
            self.start_shown(component, board, None)?;
        }
        environment::write(self)
    }

    /// Size and partitions are chosen once: a running cluster cannot follow another choice.
    fn settle(&self, plan: &Plan) -> Result<()> {
        self.memory.change(|facts| {
            let brokers = chosen_once(facts.brokers, plan.brokers, 1, "broker(s)")?;
            ensure!(matches!(brokers, 1 | 3), "there may be 1 broker or 3, not {brokers}");
            facts.partitions = chosen_once(facts.partitions, plan.partitions, 4, "partitions")?;
            facts.brokers = brokers;
            facts.profile = plan.profile;
            facts.binaries.clone_from(&plan.binaries);
            facts.settings.clone_from(&plan.settings);
            Ok(())
        })
    }

    fn servers(&self, plan: &Plan) -> Vec<Component> {
        let mut servers = plan.servers.clone();
        if servers.contains(&Component::Kafka(1)) {
            servers.extend((2..=self.brokers()).map(Component::Kafka));
        }
        servers.into_iter().collect()
    }

    /// Chooses every port before anything starts, and others for those that were taken while we were down.
    fn choose_ports(&self, plan: &Plan) -> Result<()> {
        let mut owned: Vec<(Component, String)> = Vec::new();
        for component in self.servers(plan) {
            owned.push((component, component.to_string()));
            match component {
                Component::Kafka(node) => owned.push((component, kafka::controller_port(node))),
                Component::Registry => owned.push((component, "registry management".to_owned())),
                Component::Jaeger => {
                    owned.extend(["jaeger grpc", "jaeger otlp"].map(|name| (component, name.to_owned())))
                }
                _ => {}
            }
        }
        owned.extend(OURS.map(|it| (it, it.to_string())));
        for (component, name) in owned {
            if !self.is_running(component) {
                self.memory.change(|facts| facts.reclaim_port(&name))?;
            }
        }
        Ok(())
    }

    /// Starts components at once and waits for all of them.
    fn start_group(&self, group: &[Component], board: &Board, guard: Option<&Guard>) -> Result<Vec<Component>> {
        let outcomes: Vec<Result<Option<Component>>> = std::thread::scope(|scope| {
            let handles: Vec<_> = group.iter().map(|it| scope.spawn(|| self.start_shown(*it, board, guard))).collect();
            handles.into_iter().map(joined).collect()
        });
        outcomes.into_iter().filter_map(Result::transpose).collect()
    }

    fn start_shown(&self, component: Component, board: &Board, guard: Option<&Guard>) -> Result<Option<Component>> {
        let task = board.task(&component.to_string());
        let address = self.address(component)?;
        if self.is_running(component) {
            self.wait_ready(&component.to_string()).inspect_err(|_| task.failed())?;
            task.done(&format!("{address}, was running"));
            return Ok(None);
        }
        if let Some(guard) = guard {
            guard.watch(component);
        }
        match self.start_component(component, &[], &task) {
            Ok(()) => {
                task.done(&address);
                Ok(Some(component))
            }
            Err(error) => {
                task.failed();
                Err(error)
            }
        }
    }

    fn publish_contracts(&self, board: &Board) -> Result<()> {
        let task = board.task("contracts");
        task.step("creating topics, registering schemas");
        contracts::publish(self).inspect_err(|_| task.failed())?;
        task.done("topics and schemas are there");
        Ok(())
    }

    fn start_services(&self, board: &Board, guard: Option<&Guard>) -> Result<Vec<Component>> {
        let task = board.task("migrations");
        for service in Service::ALL {
            if !self.is_running(Component::Service(service, 1)) {
                task.step(service.name());
                services::migrate(self, service).inspect_err(|_| task.failed())?;
            }
        }
        task.done("every database has its newest shape");
        // Payment and shipping call the simulators; the rest know each other only through Kafka.
        let mut started = self.start_group(&OURS[..1], board, guard)?;
        started.extend(self.start_group(&OURS[1..], board, guard)?);
        Ok(started)
    }
}

/// A running cluster cannot follow another choice; zero stands for no choice yet.
fn chosen_once<N: Copy + PartialEq + Default + Display>(
    known: N,
    wanted: Option<N>,
    usual: N,
    what: &str,
) -> Result<N> {
    match wanted {
        Some(wanted) if known != N::default() && known != wanted => {
            bail!("this stack was made with {known} {what}; remove it first with `cargo xtask down --wipe`")
        }
        Some(wanted) => Ok(wanted),
        None if known == N::default() => Ok(usual),
        None => Ok(known),
    }
}

/// What a thread came to; a panic there is a failure here.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("starting a component panicked")))
}

#[cfg(test)]
mod tests {
    use super::chosen_once;

    #[test]
    fn a_stack_keeps_the_size_it_was_made_with() {
        assert_eq!(chosen_once(0, None, 4, "partitions").unwrap(), 4);
        assert_eq!(chosen_once(0, Some(8), 4, "partitions").unwrap(), 8);
        assert_eq!(chosen_once(8, None, 4, "partitions").unwrap(), 8);
        assert_eq!(chosen_once(8, Some(8), 4, "partitions").unwrap(), 8);
        let error = chosen_once(8, Some(4), 4, "partitions").unwrap_err();
        assert_eq!(
            error.to_string(),
            "this stack was made with 8 partitions; remove it first with `cargo xtask down --wipe`"
        );
    }
}
