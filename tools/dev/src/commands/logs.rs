//! `cargo xtask logs`: one component's log, or the names of those that have one.
//!
//! Its own file, because following a log is a loop of its own.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::stack::{Component, Stack};

/// Runs the command.
///
/// # Errors
/// When there is no such log.
pub fn run(dir: &Path, name: Option<&str>, follow: bool) -> Result<()> {
    let stack = Stack::open(dir)?;
    let Some(name) = name else {
        for entry in fs::read_dir(stack.layout().logs())? {
            println!("{}", entry?.path().display());
        }
        return Ok(());
    };
    let log = stack.layout().log(&name.parse::<Component>()?.to_string());
    let mut file = File::open(&log).with_context(|| format!("{name} has no log at {}", log.display()))?;
    let mut out = std::io::stdout();
    let mut read = 0;
    loop {
        let mut chunk = Vec::new();
        // A log that became shorter was begun anew.
        if file.metadata()?.len() < read {
            read = file.seek(SeekFrom::Start(0))?;
        }
        read += file.read_to_end(&mut chunk)? as u64;
        out.write_all(&chunk)?;
        if !follow {
            return Ok(());
        }
        out.flush()?;
        std::thread::sleep(Duration::from_millis(200));
    }
}
