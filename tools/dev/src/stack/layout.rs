//! Where a stack keeps its files: one folder holds data, logs, process ids and the written environment.
//!
//! Separate, so that a second stack is nothing but a second folder.

use std::path::{Path, PathBuf};

/// The folder of one stack.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// A stack in `root`, which must be absolute.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The shell file that says where everything listens.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.root.join("env")
    }

    /// What must outlive a restart: ports and secrets.
    #[must_use]
    pub fn memory_file(&self) -> PathBuf {
        self.root.join("memory.json")
    }

    /// Taken while a command starts or stops components.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The folder of process ids.
    #[must_use]
    pub fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// One component's process id.
    #[must_use]
    pub fn pid_file(&self, component: &str) -> PathBuf {
        self.pids().join(format!("{component}.json"))
    }

    /// The folder of logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// One component's log.
    #[must_use]
    pub fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// One component's own folder.
    #[must_use]
    pub fn data(&self, component: &str) -> PathBuf {
        self.root.join("data").join(component)
    }
}

/// The root of the checkout this program was built from.
#[must_use]
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}
