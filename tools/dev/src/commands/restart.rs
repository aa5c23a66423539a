//! `cargo xtask restart`: ends components and starts them again, our own ones built and migrated anew.
//!
//! Its own file, because it is the loop of somebody who changes a service.

use std::path::Path;

use anyhow::Result;

use crate::progress::Board;
use crate::stack::Stack;

/// Runs the command.
///
/// # Errors
/// When a component is unknown, does not compile, or does not come back.
pub fn run(dir: &Path, names: &[String]) -> Result<()> {
    let stack = Stack::open(dir)?;
    let components = names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
    stack.restart_all(&components, &Board::new())
}
