//! Where a peer lives while it is measured: its folder, its processes, its ports and its databases.
//!
//! Separate from the peers, so that each of them is no more than what it takes to start it, and none outlives its turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::install::built;
use crate::stack::guard::Guard;
use crate::stack::probe::{self, until_ready};
use crate::stack::process::{Identity, Launch};
use crate::stack::{Component, Stack};

/// The four participants of the order saga.
pub(super) const PARTICIPANTS: [&str; 4] = ["order", "inventory", "payment", "shipping"];

const START: Duration = Duration::from_secs(180);
const PATIENCE: Duration = Duration::from_secs(15);
/// Under it, Restate's ingress captures a backtrace for each request it cannot serve yet; its restarts then take minutes.
const BACKTRACE: &str = "RUST_BACKTRACE";

/// A peer's surroundings for one turn.
pub(super) struct Lab<'a> {
    stack: &'a Stack,
    guard: &'a Guard,
    dir: PathBuf,
    running: Vec<(String, Identity)>,
    counts_postgres: bool,
}

impl<'a> Lab<'a> {
    /// An empty folder, and nothing that runs.
    pub(super) fn new(stack: &'a Stack, guard: &'a Guard, peer: &str) -> Result<Self> {
        let dir = stack.layout().root().join("peers").join(peer);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
        Ok(Self { stack, guard, dir, running: Vec::new(), counts_postgres: false })
    }

    /// Its folder: configuration, data, logs.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A free port, the same one in each turn if possible.
    pub(super) fn port(&self, name: &str) -> Result<u16> {
        self.stack.free_port(&format!("peer {name}"))
    }

    /// The port of the Postgres beside it.
    pub(super) fn postgres_port(&self) -> Result<u16> {
        self.stack.port("postgres")
    }

    /// The superuser's password there.
    pub(super) fn postgres_password(&self) -> Result<String> {
        self.stack.secret("postgres")
    }

    /// The address of that server, up to the slash before a database's name.
    pub(super) fn postgres(&self) -> Result<String> {
        Ok(format!("postgres://postgres:{}@127.0.0.1:{}", self.postgres_password()?, self.postgres_port()?))
    }

    /// Makes databases anew; from then on Postgres counts as one of the peer's processes.
    pub(super) fn fresh_databases(&mut self, names: &[&str]) -> Result<()> {
        self.counts_postgres = true;
        let mut command = self.command(&built("peer-participant"));
        run(command.env("PEER_POSTGRES", self.postgres()?).arg("fresh").args(names))
    }

    /// A program that ends by itself.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir).env_remove(BACKTRACE);
        command
    }

    /// How to start a program that stays.
    pub(super) fn launch(&self, program: &Path) -> Launch {
        Launch::new(program, &self.dir).without(BACKTRACE)
    }

    /// Starts it and waits for `probe`.
    pub(super) fn start(&mut self, name: &str, launch: &Launch, probe: impl Fn() -> Result<()>) -> Result<()> {
        let log = self.dir.join(format!("{name}.log"));
        let process = launch.spawn(&log)?;
        self.guard.watch_process(process);
        self.running.push((name.to_owned(), process));
        until_ready(process, &log, START, probe).with_context(|| format!("could not start {name}"))
    }

    /// Starts the participant of this name that keeps its state in Postgres. Returns its address.
    pub(super) fn start_participant(&mut self, name: &str) -> Result<String> {
        let port = self.port(&format!("participant {name}"))?;
        let launch = self.launch(&built("peer-participant")).env("PEER_POSTGRES", self.postgres()?).args([
            "serve",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--database",
            &database(name),
        ]);
        self.start(name, &launch, || listens(port))?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    /// What runs, as the load wants it: NAME=PID, Postgres included if the peer stands on it.
    pub(super) fn processes(&self) -> String {
        let mut all: Vec<_> = self.running.iter().map(|(name, process)| format!("{name}={}", process.pid)).collect();
        let postgres = self.stack.process(Component::Postgres).filter(|_| self.counts_postgres);
        all.extend(postgres.map(|process| format!("postgres={}", process.pid)));
        all.join(",")
    }
}

/// Ends all of it, the last first.
impl Drop for Lab<'_> {
    fn drop(&mut self) {
        for (_, process) in self.running.drain(..).rev() {
            process.end(Signal::SIGTERM, PATIENCE);
        }
    }
}

/// The database of a participant.
pub(super) fn database(participant: &str) -> String {
    format!("participant_{participant}")
}

/// Whether anything answers there; what it says does not matter.
pub(super) fn listens(port: u16) -> Result<()> {
    probe::get(port, "/").map(|_| ())
}

/// Runs a command to its end.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("could not run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n");
    ensure!(output.status.success(), "{program} ended with {}: {last}", output.status);
    Ok(())
}
