//! `cargo xtask demo`: the real stack, then orders of every kind on it.
//!
//! Its own file, because it alone knows that a person does not wait as long as a production timeout: for the demo, the
//! payment step and the gateway's client are given less patience than they ship with.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Plan, Stack, workspace};

/// The demo's own program.
pub const PACKAGE: &str = "backstitch-demo";
const DEFINITION: &str = "order-fulfilment.yaml";
/// What only observes needs no hurry: the services do.
const OBSERVED: &str = "order-choreographed.yaml";
const STEP: &str = "- name: process-payment";
const SHIPPED: &str = "timeout: 30s";
const HURRIED: &str = "timeout: 3s";

/// What to show.
#[derive(Debug, Args)]
pub struct Options {
    /// How many orders, of all kinds in turn
    #[arg(long, default_value_t = 12)]
    orders: usize,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
    /// Leave everything running afterwards
    #[arg(long)]
    keep: bool,
}

impl Options {
    /// As the test run shows it.
    #[must_use]
    pub const fn for_test(orders: usize) -> Self {
        Self { orders, json: true, keep: true }
    }
}

/// Runs the command. Whether every order ended as it must.
///
/// # Errors
/// When the stack does not come up.
pub fn run(dir: &Path, options: &Options) -> Result<bool> {
    let stack = Stack::open(dir)?;
    let guard = Guard::post(&stack)?;
    let board = Board::new();
    let before = stack.running();
    stack.up(&Plan::default(), &board, Some(&guard))?;
    let good = show(&stack, options)?;
    if !options.json && !options.keep && std::io::stdin().is_terminal() {
        println!("\nEverything still runs. Press Enter to stop it (`cargo xtask demo --keep` leaves it running).");
        std::io::stdin().read_line(&mut String::new()).context("could not wait for Enter")?;
    }
    if !options.keep {
        let ours = stack.running().into_iter().filter(|component| !before.contains(component)).collect();
        stack.stop_all(ours)?;
    }
    guard.dismiss();
    Ok(good)
}

/// Places the orders on a running stack and follows them.
///
/// # Errors
/// When a service does not come back with the demo's settings, or the program does not run.
pub fn show(stack: &Stack, options: &Options) -> Result<bool> {
    let sagas = hurried_definitions(stack)?;
    let sagas = sagas.display().to_string();
    for (service, setting, value) in [
        ("orchestrator", "BACKSTITCH_SAGAS__DIR", sagas.as_str()),
        ("payment", "BACKSTITCH_GATEWAY__GIVE_UP_AFTER_SECONDS", "14"),
        ("order", "BACKSTITCH_CHOREOGRAPHY__PAYMENT_TIMEOUT_SECONDS", "10"),
    ] {
        stack.stop(service)?;
        stack.start(service, &[(setting, value)])?;
    }
    let mut demo = Command::new(stack.program(PACKAGE));
    demo.envs(stack.env()?).env_remove("RUST_BACKTRACE").arg("--orders").arg(options.orders.to_string());
    if options.json {
        demo.arg("--json");
    }
    let good = demo.status().context("could not run the demo's program")?.success();
    for service in ["orchestrator", "payment", "order"] {
        stack.restart(service)?;
    }
    Ok(good)
}

/// The shipped definitions with a payment step that waits three seconds, made from the shipped file each time.
fn hurried_definitions(stack: &Stack) -> Result<PathBuf> {
    let shipped = fs::read_to_string(workspace().join("sagas").join(DEFINITION))?;
    let folder = stack.layout().root().join("demo-sagas");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(DEFINITION), hurried(&shipped)?)?;
    fs::copy(workspace().join("sagas").join(OBSERVED), folder.join(OBSERVED))?;
    Ok(folder)
}

fn hurried(definition: &str) -> Result<String> {
    let (before, step) = definition.split_once(STEP).context("the definition has no payment step any more")?;
    ensure!(step.contains(SHIPPED), "the payment step's timeout is no longer `{SHIPPED}`");
    Ok(format!("{before}{STEP}{}", step.replacen(SHIPPED, HURRIED, 1)))
}

#[cfg(test)]
mod tests {
    use super::{DEFINITION, hurried};
    use crate::stack::workspace;

    #[test]
    fn only_the_payment_step_of_the_shipped_definition_hurries() {
        let shipped = std::fs::read_to_string(workspace().join("sagas").join(DEFINITION)).unwrap();
        let hurried = hurried(&shipped).unwrap();
        let changed = shipped.lines().zip(hurried.lines()).filter(|(before, after)| before != after);
        assert_eq!(changed.collect::<Vec<_>>(), [("    timeout: 30s", "    timeout: 3s")]);
    }
}
