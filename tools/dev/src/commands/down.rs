//! `cargo xtask down`: ends everything that the stack runs.
//!
//! Its own file, because it must also find what nobody asked to start, such as a test's further replicas.

use std::path::Path;

use anyhow::Result;

use crate::stack::Stack;

/// Runs the command.
///
/// # Errors
/// When something cannot be ended or removed.
pub fn run(dir: &Path, wipe: bool) -> Result<()> {
    if !dir.exists() {
        println!("There is no stack in {}.", dir.display());
        return Ok(());
    }
    let stack = Stack::open(dir)?;
    let lock = stack.lock()?;
    let running = stack.running();
    stack.stop_all(running.clone())?;
    let names: Vec<_> = running.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        println!("Nothing was running.");
    } else {
        println!("Stopped {}.", names.join(", "));
    }
    if wipe {
        stack.wipe()?;
        println!("Removed {}.", dir.display());
    }
    drop(lock);
    Ok(())
}
