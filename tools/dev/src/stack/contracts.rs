//! Topics and schemas, brought to a new stack by the same commands that a deployment uses.
//!
//! Separate, because the stack knows no topic by name.

use anyhow::{Context, Result, bail};

use super::Stack;
use super::layout::workspace;
use super::process::Launch;
use super::services::registry_url;

/// The package of the command line tool, which is its program too.
pub(super) const PACKAGE: &str = "sagactl";

/// Creates every topic and registers every schema that is missing.
///
/// # Errors
/// When either command fails; the message is what it said.
pub(super) fn publish(stack: &Stack) -> Result<()> {
    let partitions = stack.partitions().to_string();
    let replication = stack.brokers().to_string();
    run(stack, &["topics", "create", "--partitions", &partitions, "--replication", &replication])?;
    run(stack, &["schemas", "push"])
}

fn run(stack: &Stack, args: &[&str]) -> Result<()> {
    let launch = Launch::new(stack.program(PACKAGE), workspace())
        .args(args)
        .env("KAFKA_BOOTSTRAP", super::kafka::bootstrap(stack)?)
        .env("SCHEMA_REGISTRY_URL", registry_url(stack)?);
    let output = launch.command().output().with_context(|| format!("could not run {}", launch.program.display()))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`sagactl {}` failed: {}", args.join(" "), String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
