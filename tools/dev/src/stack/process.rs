//! Processes that outlive the command that started them, known by id and start time.
//!
//! Separate, because everything else only needs "start this" and "is it still that one": a recycled process id must
//! never be mistaken for ours, least of all when killing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

const POLL: Duration = Duration::from_millis(20);

/// One process, not merely one process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Identity {
    /// The process that has this id now; none if it is gone or only waits to be reaped.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        (!stat.dead).then_some(Self { pid, started: stat.started })
    }

    /// Whether exactly this process still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal, if the process is still this one.
    pub fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may end between the question and the signal; then there is nothing left to tell it.
            let _ = signal::kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// This process and all it started, directly or not.
    #[must_use]
    pub fn family(self) -> Vec<Self> {
        let mut family = vec![self];
        let everyone = processes();
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(everyone.iter().filter(|(_, of)| *of == parent.pid).map(|(child, _)| *child));
            next += 1;
        }
        family
    }

    /// Asks the process to end, and after `patience` ends it; returns once its whole family is gone.
    pub fn end(self, polite: Signal, patience: Duration) {
        let family = self.family();
        self.signal(polite);
        if !gone(&family, patience) {
            for member in &family {
                member.signal(Signal::SIGKILL);
            }
            gone(&family, Duration::from_secs(10));
        }
    }
}

fn gone(family: &[Identity], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while family.iter().any(|member| member.is_alive()) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}

/// Every live process with its parent's id.
fn processes() -> Vec<(Identity, i32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Stat::read(pid).map(|stat| (Identity { pid, started: stat.started }, stat.parent))).collect()
}

struct Stat {
    dead: bool,
    parent: i32,
    started: u64,
}

impl Stat {
    /// Fields are counted behind the last `)`, because a program may have spaces and brackets in its name.
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let dead = matches!(*fields.first()?, "Z" | "X" | "x");
        Some(Self { dead, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

/// Everything needed to start one process.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to our own.
    pub env: BTreeMap<String, String>,
    /// Variables of our own that it does not get.
    pub without: Vec<&'static str>,
    /// The folder it runs in.
    pub dir: PathBuf,
    /// User and group to become, when not ours.
    pub user: Option<(u32, u32)>,
}

impl Launch {
    /// A process that runs `program` in `dir`.
    #[must_use]
    pub(crate) fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            without: Vec::new(),
            dir: dir.into(),
            user: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds one variable.
    #[must_use]
    pub(crate) fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    /// Keeps one of our own variables from it.
    #[must_use]
    pub(crate) fn without(mut self, key: &'static str) -> Self {
        self.without.push(key);
        self
    }

    /// The command, with no standard streams yet.
    #[must_use]
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(&self.env).current_dir(&self.dir).stdin(Stdio::null());
        for key in &self.without {
            command.env_remove(key);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it in a process group of its own, so that a Ctrl-C meant for us does not reach it.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub(crate) fn spawn(&self, log: &Path) -> Result<Identity> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("could not open {}", log.display()))?;
        let mut child = self
            .command()
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not run {}", self.program.display()))?;
        let pid = i32::try_from(child.id())?;
        let identity = Identity::of(pid)
            .with_context(|| format!("{} ended at once; see {}", self.program.display(), log.display()));
        // Somebody must wait for it, or a dead child stays listed as long as we live.
        std::thread::spawn(move || child.wait());
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_process_id_is_not_the_process() {
        let mine = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(mine.is_alive());
        let other = Identity { started: mine.started + 1, ..mine };
        assert!(!other.is_alive());
        other.signal(Signal::SIGKILL);
        assert!(mine.is_alive());
    }

    #[test]
    fn ending_a_process_ends_its_children_too() {
        let dir = std::env::temp_dir();
        let log = dir.join(format!("backstitch-family-{}.log", std::process::id()));
        let shell =
            Launch::new("/bin/sh", &dir).args(["-c", "trap '' TERM; sleep 600 & wait; sleep 600"]).spawn(&log).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while shell.family().len() < 2 {
            assert!(Instant::now() < deadline, "the shell never started its child");
            std::thread::yield_now();
        }
        let family = shell.family();
        shell.end(Signal::SIGTERM, Duration::ZERO);
        assert!(family.iter().all(|member| !member.is_alive()));
        let _ = fs::remove_file(log);
    }
}
