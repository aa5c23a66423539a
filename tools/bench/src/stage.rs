//! The stack under a bench that makes its processes come and go: raised anew, started, stopped and killed by name.
//! Separate from the load, which must not notice.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use backstitch_dev::commands::bench::workload;
use backstitch_dev::progress::Board;
use backstitch_dev::stack::{Plan, Profile, Stack, workspace};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::load::{Load, Shape};
use backstitch_measure::machine;

/// Between two looks at something that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long anything may take: much more than it needs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Settings of a process on top of its usual ones.
pub(crate) type Settings = Vec<(String, String)>;

/// Where a stack is raised.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    dir: PathBuf,
    binaries: Option<PathBuf>,
    /// Whether gateway and carrier are asked over HTTP.
    http: bool,
}

/// A stack that runs.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    stack: Arc<Stack>,
}

impl Stage {
    pub(crate) const fn at(dir: PathBuf, binaries: Option<PathBuf>) -> Self {
        Self { dir, binaries, http: false }
    }

    /// The same, where gateway and carrier are simulators that are asked over HTTP.
    pub(crate) fn with_http(self, http: bool) -> Self {
        Self { http, ..self }
    }

    /// A new stack with all services and so many lanes; what an earlier one left is removed.
    pub(crate) async fn raise(&self, partitions: u32) -> Result<Live> {
        let stage = self.clone();
        let stack = tokio::task::spawn_blocking(move || stage.raise_now(partitions)).await??;
        Ok(Live { stack: Arc::new(stack) })
    }

    fn raise_now(&self, partitions: u32) -> Result<Stack> {
        let stack = Stack::anew(&self.dir)?;
        let (profile, binaries) = (Profile::Release, self.binaries.clone());
        let settings = workload(!self.http, false);
        let plan = Plan { partitions: Some(partitions), profile, binaries, settings, ..Plan::default() };
        stack.up(&plan, &Board::new(), None)?;
        Ok(stack)
    }
}

impl Live {
    async fn act<T: Send + 'static>(&self, act: impl FnOnce(&Stack) -> Result<T> + Send + 'static) -> Result<T> {
        let stack = Arc::clone(&self.stack);
        tokio::task::spawn_blocking(move || act(&stack)).await?
    }

    /// Starts a process and waits until it is ready.
    pub(crate) async fn start(&self, name: &str, settings: Settings) -> Result<()> {
        let name = name.to_owned();
        self.act(move |stack| {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
            stack.start(&name, &settings)
        })
        .await
    }

    /// Ends a process in good order, and waits until it is gone.
    pub(crate) async fn stop(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.act(move |stack| stack.stop(&name)).await
    }

    /// Kills a process.
    pub(crate) async fn kill(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.act(move |stack| stack.kill(&name)).await
    }

    /// The id of a process.
    pub(crate) fn pid(&self, name: &str) -> Result<i32> {
        let process = self.stack.process(name.parse()?);
        Ok(process.with_context(|| format!("{name} does not run"))?.pid)
    }

    /// A variable of the stack's environment.
    pub(crate) fn env(&self, name: &str) -> Result<String> {
        self.stack.env()?.remove(name).with_context(|| format!("the stack's environment has no {name}"))
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.stack.layout().root().to_owned()
    }

    /// The number of lanes.
    pub(crate) fn lanes(&self) -> i32 {
        i32::try_from(self.stack.partitions()).unwrap_or(1)
    }

    /// Resident memory of a process, MiB.
    pub(crate) fn memory_mib(&self, name: &str) -> Result<f64> {
        let pid = u32::try_from(self.pid(name)?)?;
        let of = machine::memory(&[(name.to_owned(), pid)].into());
        of.get(name).copied().with_context(|| format!("{name} has no memory"))
    }

    /// The definitions that ship and those of the bench, in one folder, as a setting of the orchestrator.
    pub(crate) fn definitions(&self) -> Result<Settings> {
        let folder = self.dir().join("bench-sagas");
        fs::create_dir_all(&folder)?;
        for from in ["sagas", "tools/bench/sagas"] {
            for entry in fs::read_dir(workspace().join(from))? {
                let file = entry?.path();
                if let (Some(name), Some("yaml")) = (file.file_name(), file.extension().and_then(OsStr::to_str)) {
                    fs::copy(&file, folder.join(name))?;
                }
            }
        }
        Ok(vec![("BACKSTITCH_SAGAS__DIR".to_owned(), folder.display().to_string())])
    }

    /// A connection to the database of that service.
    pub(crate) async fn database(&self, service: &str) -> Result<PgConnection> {
        let url = self.stack.database_url(service)?;
        PgConnection::connect(&url).await.with_context(|| format!("could not reach the database of {service}"))
    }

    /// The load on this stack.
    pub(crate) async fn load(&self, shape: Shape) -> Result<Load> {
        let shape = Shape { lanes: self.lanes(), ..shape };
        Load::open(&self.env("KAFKA_BOOTSTRAP")?, &self.env("SCHEMA_REGISTRY_URL")?, shape).await
    }

    /// The orchestrator's lanes, and the id of the process that has claimed each of them last.
    pub(crate) async fn owners(&self, db: &mut PgConnection) -> Result<BTreeMap<i32, i32>> {
        // An owner is `host/process id`.
        let rows = sqlx::query("SELECT lane, split_part(owner, '/', -1)::integer AS pid FROM processor.lanes");
        let rows = rows.fetch_all(db).await?;
        rows.iter().map(|row| Ok((row.try_get("lane")?, row.try_get("pid")?))).collect()
    }

    /// Waits until each of these orchestrators has lanes, and nobody else has any.
    pub(crate) async fn settled(&self, replicas: &[String], db: &mut PgConnection) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pids = replicas.iter().map(|name| self.pid(name)).collect::<Result<Vec<i32>>>()?;
            let owners = self.owners(db).await?;
            let busy = pids.iter().take(owners.len()).all(|pid| owners.values().any(|owner| owner == pid));
            let all = owners.len() == usize::try_from(self.lanes()).unwrap_or(0);
            if all && busy && owners.values().all(|owner| pids.contains(owner)) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the lanes were not shared out in time: {owners:?} among {pids:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The names of so many replicas of a service.
pub(crate) fn replicas(service: &str, count: u16) -> Vec<String> {
    let name = |number| if number == 1 { service.to_owned() } else { format!("{service}#{number}") };
    (1..=count.max(1)).map(name).collect()
}
