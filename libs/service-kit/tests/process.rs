//! Real processes: what they print and how they end. Separate from the unit tests, which have no command line, no
//! signals and no exit code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// `examples/minimal.rs`, which `cargo test` builds beside the tests.
fn minimal() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push("minimal");
    assert!(path.exists(), "build the example first: cargo build -p backstitch-service-kit --example minimal");
    let mut command = Command::new(path);
    command.env_clear().env("BACKSTITCH_HTTP__LISTEN", "127.0.0.1:0");
    command
}

fn configured() -> Command {
    let mut command = minimal();
    command.env("BACKSTITCH_GATEWAY__URL", "http://gateway").env("BACKSTITCH_GATEWAY__PASSWORD", "topsecret");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

#[test]
fn wrong_settings_end_the_process_with_64_and_every_problem() {
    for arguments in [&["--check-config"][..], &["run"], &["migrate"]] {
        let (code, _, errors) = run(minimal().args(arguments).env("BACKSTITCH_HTTP__LISTEN", "nowhere"));
        assert_eq!(code, Some(64), "{errors}");
        for told in ["gateway.url: is missing", "BACKSTITCH_GATEWAY__PASSWORD", "http.listen: invalid socket address"] {
            assert!(errors.contains(told), "{errors}");
        }
    }
}

#[test]
fn a_wrong_command_line_or_file_ends_with_64_too() {
    assert_eq!(run(configured().arg("--no-such-option")).0, Some(64));
    let (code, _, errors) = run(configured().args(["--config", "/no/such/file"]));
    assert_eq!((code, errors.contains("/no/such/file")), (Some(64), true));
}

#[test]
fn good_settings_are_confirmed_and_shown_without_secrets() {
    assert_eq!(run(configured().arg("--check-config")).0, Some(0));
    let (code, shown, _) = run(configured().arg("--dump-config"));
    assert_eq!(code, Some(0));
    let settings: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(settings["gateway"]["password"], "[redacted]");
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn migrate_does_only_that() {
    let (code, out, _) = run(configured().arg("migrate"));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("migrating what http://gateway needs") && !out.contains("listening"), "{out}");
}

#[test]
fn a_task_that_fails_ends_the_process_with_its_name() {
    let (code, out, _) = run(configured().env("BACKSTITCH_GATEWAY__FAILS", "true"));
    assert_eq!(code, Some(1));
    let told = |line: &str| line.contains("\"task\":\"heartbeat\"") && line.contains("the gateway is gone");
    assert!(out.lines().any(told), "{out}");
}

#[test]
fn a_task_that_panics_ends_the_process_and_says_where_in_the_log() {
    let (code, out, errors) = run(configured().env("BACKSTITCH_GATEWAY__PANICS", "true"));
    assert_eq!((code, errors.as_str()), (Some(1), ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let panic = lines.iter().find(|line| line["message"] == "a panic").unwrap();
    assert_eq!(panic["panic"], "the gateway confuses us");
    assert!(panic["location"].as_str().unwrap().contains("minimal.rs"), "{panic}");
    assert!(lines.iter().any(|line| line["task"] == "heartbeat"), "{out}");
}

#[test]
fn sigterm_lets_the_process_finish_and_end_with_0() {
    let mut child: Child = configured().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"message\":\"running\"")), "it never ran");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|line| line == "the last beat"), "{rest:#?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
