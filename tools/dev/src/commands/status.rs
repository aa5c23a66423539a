//! `cargo xtask status`: a table of what runs, where, and whether it is well.
//!
//! Its own file, because it is the only command that asks without changing anything.

use std::path::Path;

use anyhow::Result;

use crate::stack::Stack;

/// Runs the command. Answers whether everything that runs is well.
///
/// # Errors
/// When the stack cannot be read.
pub fn run(dir: &Path) -> Result<bool> {
    if !dir.exists() {
        println!("There is no stack in {}; start one with: cargo xtask up", dir.display());
        return Ok(true);
    }
    let stack = Stack::open(dir)?;
    let mut all_well = true;
    println!("{:<16} {:>8}  {:<24} HEALTH", "COMPONENT", "PID", "ADDRESS");
    for component in stack.running() {
        let Some(process) = stack.process(component) else { continue };
        let health = match stack.probe(component) {
            Ok(()) => "well".to_owned(),
            Err(error) => {
                all_well = false;
                format!("{error:#}")
            }
        };
        let address = stack.address(component)?;
        println!("{:<16} {:>8}  {address:<24} {health}", component.to_string(), process.pid);
    }
    Ok(all_well)
}
