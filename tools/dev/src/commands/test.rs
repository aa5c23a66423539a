//! `cargo xtask test`: every check in order, each with a headline and its time; the first failure ends it.
//!
//! Its own file, and the only list of checks: what runs here is what runs before a change is taken in.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::commands::demo;
use crate::progress::Board;
use crate::stack::guard::Guard;
use crate::stack::{Plan, Stack, workspace};

/// What a stage came to.
enum Outcome {
    Passed,
    Skipped(&'static str),
}

/// Stages run so far, for the summary.
struct Run {
    stages: Vec<(&'static str, &'static str, Duration)>,
}

/// Runs the command. With `fast`, everything that needs no stack.
///
/// # Errors
/// When a check fails; the message says how to run it alone.
pub fn run(fast: bool) -> Result<()> {
    let began = Instant::now();
    let mut run = Run { stages: Vec::new() };
    let outcome = run.all(fast);
    println!();
    for (name, verdict, took) in &run.stages {
        println!("  {verdict:8} {name:44} {:>7.1} s", took.as_secs_f32());
    }
    outcome?;
    println!("\nEverything passed in {:.0} s.", began.elapsed().as_secs_f32());
    Ok(())
}

impl Run {
    fn all(&mut self, fast: bool) -> Result<()> {
        self.cargo("the code is formatted", &["fmt", "--all", "--check"])?;
        self.cargo(
            "no lint is broken",
            &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        )?;
        self.cargo("all tests that need no stack", &["test", "--workspace"])?;
        self.stage("dependencies keep the rules", "cargo deny check", dependencies)?;
        if fast {
            return Ok(());
        }
        let dir = workspace().join("target/test-stack");
        let stack = Stack::anew(&dir)?;
        // Ends whatever runs in this stack, further replicas included, should we be killed.
        let guard = Guard::post(&stack)?;
        guard.watch_everything();
        let outcome = self.on_stack(&stack);
        // Logs of a failed run stay; processes never do.
        stack.stop_all(stack.running())?;
        guard.dismiss();
        outcome?;
        stack.wipe()
    }

    fn on_stack(&mut self, stack: &Stack) -> Result<()> {
        let dir = stack.layout().root().display().to_string();
        self.stage("the stack comes up", "cargo xtask up", || {
            stack.up(&Plan::default(), &Board::new(), None)?;
            Ok(Outcome::Passed)
        })?;
        // Before the system tests: when the ordinary does not work, the extraordinary need not be tried.
        self.stage("orders of every kind end as they must", "cargo xtask demo --orders 60 --json", || {
            ensure!(
                demo::show(stack, &demo::Options::for_test(60))?,
                "an order went astray or the books do not balance; logs: {dir}/logs"
            );
            Ok(Outcome::Passed)
        })?;
        let arguments = system_tests()?;
        let rerun = format!("cargo xtask up && source target/stack/env && cargo {}", arguments.join(" "));
        self.stage("the system on the real stack", &rerun, || {
            let status = cargo().args(&arguments).envs(stack.env()?).env("BACKSTITCH_STACK_DIR", &dir).status()?;
            ensure!(status.success(), "a system test failed; logs: {dir}/logs");
            Ok(Outcome::Passed)
        })
    }

    fn cargo(&mut self, name: &'static str, arguments: &[&str]) -> Result<()> {
        let rerun = format!("cargo {}", arguments.join(" "));
        self.stage(name, &rerun, || {
            let status = cargo().args(arguments).status().context("could not run cargo")?;
            ensure!(status.success(), "cargo ended with {status}");
            Ok(Outcome::Passed)
        })
    }

    fn stage(&mut self, name: &'static str, rerun: &str, check: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        println!("\n== {name}   ({rerun})");
        let began = Instant::now();
        let outcome = check();
        let verdict = match &outcome {
            Ok(Outcome::Passed) => "passed",
            Ok(Outcome::Skipped(why)) => {
                println!("skipped: {why}");
                "skipped"
            }
            Err(_) => "FAILED",
        };
        self.stages.push((name, verdict, began.elapsed()));
        outcome.map(|_| ()).with_context(|| format!("{name}: failed; run it alone with `{rerun}`"))
    }
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

fn dependencies() -> Result<Outcome> {
    if !workspace().join("deny.toml").is_file() {
        return Ok(Outcome::Skipped("there is no deny.toml"));
    }
    let known = cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !known {
        return Ok(Outcome::Skipped("cargo-deny is not installed; get it with `cargo install cargo-deny --locked`"));
    }
    let status = cargo().args(["deny", "check"]).status()?;
    ensure!(status.success(), "cargo deny ended with {status}");
    Ok(Outcome::Passed)
}

/// One cargo command for every test target that needs the stack: those with `required-features = ["system"]`, and the
/// libraries of crates that have that feature for nothing else.
///
/// The whole workspace is selected, because selecting single crates would build their dependencies anew with
/// other features.
fn system_tests() -> Result<Vec<String>> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata answered no JSON")?;
    let Needing { features, targets, libraries } = needing_a_stack(&metadata);
    if targets.is_empty() {
        bail!("no crate has a test target with required-features = [\"system\"]");
    }
    let mut arguments: Vec<String> = ["test", "--workspace", "--features"].map(str::to_owned).to_vec();
    arguments.push(features.join(","));
    arguments.extend(libraries.then(|| "--lib".to_owned()));
    for target in targets {
        arguments.extend(["--test".to_owned(), target]);
    }
    // They kill what others stand on: one at a time.
    arguments.extend(["--", "--test-threads=1"].map(str::to_owned));
    Ok(arguments)
}

/// What needs the stack.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needing {
    features: Vec<String>,
    targets: Vec<String>,
    /// Whether there are such tests inside libraries.
    libraries: bool,
}

fn needing_a_stack(metadata: &serde_json::Value) -> Needing {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Needing::default();
    for package in list(&metadata["packages"]) {
        let needing: Vec<_> = list(&package["targets"])
            .iter()
            .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"))
            .filter(|target| list(&target["required-features"]).iter().any(|feature| feature == "system"))
            .map(|target| text(&target["name"]))
            .collect();
        if package["features"]["system"].is_array() || !needing.is_empty() {
            all.features.push(format!("{}/system", text(&package["name"])));
            all.libraries |= needing.is_empty();
            all.targets.extend(needing);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Needing, needing_a_stack};

    #[test]
    fn only_targets_that_ask_for_the_stack_are_run_on_it() {
        let metadata = json!({ "packages": [
            { "name": "a", "targets": [
                { "name": "quick", "kind": ["test"] },
                { "name": "broker", "kind": ["test"], "required-features": ["system"] },
                { "name": "member", "kind": ["bin"], "required-features": ["system"] },
            ] },
            { "name": "b", "targets": [{ "name": "b", "kind": ["lib"] }] },
        ] });
        let broker = Needing { features: vec!["a/system".into()], targets: vec!["broker".into()], libraries: false };
        assert_eq!(needing_a_stack(&metadata), broker);
        let within = json!({ "packages": [{ "name": "c", "features": { "system": [] }, "targets": [] }] });
        let within = needing_a_stack(&within);
        assert_eq!((within.features, within.libraries), (vec!["c/system".to_owned()], true));
    }
}
