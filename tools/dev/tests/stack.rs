//! The stack itself: real servers started, killed, frozen and stopped as the system tests do it.
//!
//! Separate from the tests of the system, because those trust what is shown here.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use backstitch_dev::progress::Board;
use backstitch_dev::stack::{Component, Plan, Profile, Stack, workspace};

const SERVERS: [Component; 3] = [Component::Postgres, Component::Kafka(1), Component::Registry];

fn servers_only() -> Plan {
    Plan {
        brokers: None,
        partitions: None,
        servers: BTreeSet::from(SERVERS),
        contracts: false,
        services: false,
        profile: Profile::Dev,
        binaries: None,
    }
}

/// A stack of the test's own, ended with it even if the test fails.
struct Own(Stack);

impl Own {
    fn new(name: &str) -> Self {
        let dir = workspace().join("target").join(format!("stack-of-{name}-{}", std::process::id()));
        Self(Stack::open(&dir).unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn up(&self) -> Vec<Component> {
        self.0.up(&servers_only(), &Board::quiet(), None).unwrap_or_else(|error| panic!("{error:#}"))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.0.stop_all(self.0.running());
        if !std::thread::panicking()
            && let Ok(stack) = Stack::open(self.0.layout().root())
        {
            let _ = stack.wipe();
        }
    }
}

#[test]
fn servers_start_once_and_come_back_where_they_were() {
    let own = Own::new("restarts");
    let mut started = own.up();
    started.sort();
    let mut expected = SERVERS.to_vec();
    expected.sort();
    assert_eq!(started, expected);
    assert_eq!(own.up(), [], "they run already");

    let addresses: Vec<_> = SERVERS.iter().map(|it| own.0.address(*it).unwrap()).collect();
    own.0.stop_all(own.0.running()).unwrap();
    assert_eq!(own.0.running(), []);
    assert!(SERVERS.iter().all(|it| own.0.probe(*it).is_err()), "a stopped server answered");

    own.up();
    assert_eq!(SERVERS.iter().map(|it| own.0.address(*it).unwrap()).collect::<Vec<_>>(), addresses);
    assert!(SERVERS.iter().all(|it| own.0.probe(*it).is_ok()));
}

#[test]
fn a_killed_server_leaves_no_child_behind_and_starts_again() {
    let own = Own::new("kills");
    own.up();
    for component in SERVERS {
        let name = component.to_string();
        let family = own.0.process(component).unwrap().family();
        own.0.kill(&name).unwrap();
        assert!(family.iter().all(|member| !member.is_alive()), "{name} left a child");
        assert!(own.0.probe(component).is_err(), "{name} still answers");
        own.0.start(&name, &[]).unwrap();
        own.0.probe(component).unwrap();
    }
}

#[test]
fn a_frozen_server_answers_nothing_until_it_is_thawed() {
    let own = Own::new("freezes");
    own.up();
    own.0.freeze("registry").unwrap();
    assert!(own.0.is_running(Component::Registry));
    assert!(own.0.probe(Component::Registry).is_err());
    own.0.thaw("registry").unwrap();
    own.0.wait_ready("registry").unwrap();
}

#[test]
fn a_command_that_is_killed_leaves_nothing_running() {
    let own = Own::new("killed-command");
    // A server that never becomes ready, so that the command cannot end before it is killed.
    let folder = own.0.layout().data("programs");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("prometheus");
    fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());

    let mut up = Command::new(env!("CARGO_BIN_EXE_backstitch-dev"))
        .args(["up", "--only", "postgres", "--with", "prometheus", "--dir"])
        .arg(own.0.layout().root())
        .env("PATH", path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("both are started", || own.0.running() == [Component::Postgres, Component::Prometheus]);
    up.kill().unwrap();
    up.wait().unwrap();
    until("nothing runs any more", || own.0.running().is_empty());
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
