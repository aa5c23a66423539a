//! A process that ends what a command started, should the command die before it said what becomes of them.
//!
//! A process of its own, because it must survive a `kill -9` of the command. It learns of the death by the end of a
//! pipe: the kernel closes that, whatever happened.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::Stack;
use super::component::Component;
use super::process::Identity;

const KEEP: &str = "keep";
const EVERYTHING: &str = "everything";
/// For a process that is no component.
const PATIENCE: Duration = Duration::from_secs(10);

/// The command's end of the pipe.
#[derive(Debug)]
pub struct Guard {
    process: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Posts a guard for `stack`. Only this tool itself can: it runs its own program, which a build may have replaced on disk.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn post(stack: &Stack) -> Result<Self> {
        let mut process = Command::new("/proc/self/exe")
            .arg("--dir")
            .arg(stack.layout().root())
            .arg("guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("could not start the guard")?;
        let pipe = Mutex::new(process.stdin.take());
        Ok(Self { process, pipe })
    }

    /// Puts a component under guard.
    pub fn watch(&self, component: Component) {
        self.say(&component.to_string());
    }

    /// Puts a process under guard that is no component.
    pub(crate) fn watch_process(&self, process: Identity) {
        if let Ok(text) = serde_json::to_string(&process) {
            self.say(&text);
        }
    }

    /// Puts all that will run in this stack under guard.
    pub fn watch_everything(&self) {
        self.say(EVERYTHING);
    }

    /// Lets everything run on: the command ends well.
    pub fn dismiss(mut self) {
        self.say(KEEP);
        if let Ok(mut pipe) = self.pipe.lock() {
            *pipe = None;
        }
        let _ = self.process.wait();
    }

    fn say(&self, line: &str) {
        if let Ok(mut pipe) = self.pipe.lock()
            && let Some(pipe) = pipe.as_mut()
        {
            // A guard that was killed guards nothing; that is no reason to fail the command.
            let _ = writeln!(pipe, "{line}");
        }
    }
}

/// The guard's own part: waits for the pipe to end and then ends what was put under guard.
///
/// # Errors
/// When a component cannot be ended.
pub fn stand(stack: &Stack) -> Result<()> {
    let mut watched = BTreeSet::new();
    let mut strangers = Vec::new();
    let mut everything = false;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line == KEEP {
            return Ok(());
        }
        everything |= line == EVERYTHING;
        watched.extend(line.parse::<Component>());
        strangers.extend(serde_json::from_str::<Identity>(&line));
    }
    for process in strangers {
        process.end(Signal::SIGTERM, PATIENCE);
    }
    let _lock = stack.lock()?;
    let watched = if everything { stack.running() } else { watched.into_iter().collect() };
    stack.stop_all(watched)
}
