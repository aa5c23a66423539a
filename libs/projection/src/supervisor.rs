//! All projections of a process: which versions run here follows from the database, looked at again and again, so that
//! replicas, restarts and commands need no word among each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::Row as _;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::drive::{Host, step};
use crate::error::chain;
use crate::runner::Ports;
use crate::source::Sources;

/// Bounds of a process's projections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Groups are called after it: `GROUP.PROJECTION.VERSION`.
    pub group: String,
    /// Most events applied in one transaction.
    pub batch_max: usize,
    /// How often it is looked which versions there are.
    pub look_every: Duration,
}

impl Settings {
    /// The usual ones.
    pub fn new(group: impl Into<String>) -> Self {
        Self { group: group.into(), batch_max: 1_000, look_every: Duration::from_secs(1) }
    }
}

/// Whether the projections of this process work, for readiness checks.
#[derive(Debug, Clone, Default)]
pub struct Health {
    failing: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Health {
    /// The first that cannot work just now, and why.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.iter().next().map(|(what, why)| format!("{what}: {why}"))
    }

    pub(crate) fn set(&self, what: &str, problem: Option<String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(why) => failing.insert(what.to_owned(), why),
            None => failing.remove(what),
        };
    }
}

/// The projections that run in a process.
pub struct Projections {
    hosts: Vec<Arc<dyn Host>>,
    ports: Ports,
}

struct Running {
    stop: CancellationToken,
    done: JoinHandle<()>,
}

impl Projections {
    /// Those that the admin knows, reading from these sources.
    #[must_use]
    pub fn new(admin: &Admin, sources: Sources, settings: Settings) -> Self {
        let ports = Ports { pool: admin.pool().clone(), sources, settings, health: Health::default() };
        Self { hosts: admin.hosts().to_vec(), ports }
    }

    /// For readiness checks.
    #[must_use]
    pub fn health(&self) -> Health {
        self.ports.health.clone()
    }

    /// Runs until told to stop; outages are waited out.
    pub async fn run(self, stop: CancellationToken) {
        let mut drivers = JoinSet::new();
        for host in &self.hosts {
            drivers.spawn(drive(host.clone(), self.ports.clone(), stop.clone()));
        }
        let mut running: HashMap<(usize, i32), Running> = HashMap::new();
        loop {
            match self.wanted().await {
                Ok(wanted) => self.follow(&wanted, &mut running, &stop).await,
                Err(error) => tracing::warn!(error = chain(&error), "the read database does not say what to run"),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.ports.settings.look_every) => {}
            }
        }
        for version in running.into_values() {
            version.stop.cancel();
            let _ = version.done.await;
        }
        while drivers.join_next().await.is_some() {}
    }

    /// The versions that code of this shape works on.
    async fn wanted(&self) -> Result<Vec<(usize, i32)>, sqlx::Error> {
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name().text()).collect();
        let shapes: Vec<i32> = self.hosts.iter().map(|host| host.shape()).collect();
        let rows = sqlx::query(
            "SELECT name, version FROM projection.versions
             JOIN unnest($1::text[], $2::integer[]) AS ours (name, shape) USING (name, shape)
             WHERE state IN ('live', 'building')",
        )
        .bind(&names)
        .bind(shapes)
        .fetch_all(&self.ports.pool)
        .await?;
        let mut wanted = Vec::new();
        for row in rows {
            let name: String = row.try_get("name")?;
            if let Some(index) = names.iter().position(|known| *known == name) {
                wanted.push((index, row.try_get("version")?));
            }
        }
        Ok(wanted)
    }

    async fn follow(
        &self,
        wanted: &[(usize, i32)],
        running: &mut HashMap<(usize, i32), Running>,
        stop: &CancellationToken,
    ) {
        let gone: Vec<_> = running.keys().filter(|key| !wanted.contains(key)).copied().collect();
        for key in gone {
            if let Some(version) = running.remove(&key) {
                version.stop.cancel();
                let _ = version.done.await;
            }
        }
        for key in wanted {
            let ended = running.get(key).is_some_and(|version| version.done.is_finished());
            if ended || !running.contains_key(key) {
                let token = stop.child_token();
                let (host, number) = (&self.hosts[key.0], key.1);
                let done = host.start(number, self.ports.clone(), token.clone());
                running.insert(*key, Running { stop: token, done });
            }
        }
    }
}

async fn drive(host: Arc<dyn Host>, ports: Ports, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            outcome = step(host.as_ref(), &ports.pool) => if let Err(error) = outcome {
                tracing::warn!(projection = host.name().text(), error = chain(&error), "a rebuild waits");
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ports.settings.look_every) => {}
        }
    }
}
