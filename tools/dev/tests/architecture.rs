//! The arrows between the workspace's crates point down only, and foreign systems are named by one crate each.
//!
//! Over the manifests, because there an arrow is written once and cannot be hidden.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

/// Lowest row first. A crate may know those of lower rows, none of its own.
const ROWS: [&[&str]; 7] = [
    &["backstitch-domain", "backstitch-upcaster", "backstitch-measure"],
    &["backstitch-saga", "backstitch-contracts"],
    &["backstitch-event-store", "backstitch-messaging"],
    &[
        "backstitch-external-call",
        "backstitch-saga-yaml",
        "backstitch-saga-schemas",
        "backstitch-saga-drawing",
        "backstitch-event-store-postgres",
        "backstitch-messaging-kafka",
        "backstitch-processor",
        "backstitch-projection",
        "backstitch-service-kit",
    ],
    &["backstitch-participant", "backstitch-wiring"],
    &["backstitch-participant-http"],
    &[
        "backstitch-order",
        "backstitch-inventory",
        "backstitch-payment",
        "backstitch-shipping",
        "backstitch-orchestrator",
        "sagactl",
        "backstitch-demo",
        "backstitch-bench-event-store",
        "backstitch-simulators",
        "backstitch-dev",
    ],
];

/// Stands in for the foreign systems, so a test of any crate may start it.
const SIMULATORS: &str = "backstitch-simulators";

/// They stand beside the rows: one is known only to tests, two may know everybody and are known to nobody, and one is as a
/// user's would be.
const BESIDE: [&str; 4] = ["backstitch-testkit", "backstitch-simulate", "backstitch-bench", "own-saga"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for an ordinary dependency.
    kind: Option<String>,
    /// Present for our own crates.
    path: Option<String>,
}

impl Dependency {
    fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

fn packages() -> Vec<Package> {
    read_manifests().unwrap_or_else(|error| panic!("could not read the manifests: {error}"))
}

fn read_manifests() -> std::io::Result<Vec<Package>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice::<Metadata>(&output.stdout)?.packages)
}

fn rows() -> BTreeMap<&'static str, usize> {
    ROWS.iter().enumerate().flat_map(|(row, names)| names.iter().map(move |name| (*name, row))).collect()
}

#[test]
fn every_manifest_of_the_workspace_has_its_row() {
    let packages = packages();
    let rows = rows();
    let strangers: Vec<_> = packages
        .iter()
        .map(|it| it.name.as_str())
        .filter(|name| !BESIDE.contains(name) && !rows.contains_key(name))
        .collect();
    assert!(strangers.is_empty(), "give these a row: {strangers:?}");
    // Reading no manifest at all would satisfy every other rule.
    assert_eq!(packages.len(), rows.len() + BESIDE.len(), "a row names a crate that is gone");
}

#[test]
fn arrows_point_down_only() {
    let rows = rows();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for package in packages() {
        let from = rows.get(package.name.as_str());
        for dependency in package.dependencies.iter().filter(|it| it.path.is_some() && !it.is_for_tests()) {
            seen += 1;
            let to = rows.get(dependency.name.as_str());
            if from.is_some() && to.is_none_or(|to| Some(to) >= from) {
                wrong.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "these arrows do not point down: {wrong:#?}");
    assert!(seen > 20, "only {seen} arrows were seen");
}

#[test]
fn tests_lean_on_no_service_but_their_own_and_the_simulators() {
    let rows = rows();
    for package in packages() {
        for dependency in package.dependencies.iter().filter(|it| it.is_for_tests()) {
            let is_top = rows.get(dependency.name.as_str()) == Some(&(ROWS.len() - 1));
            assert!(!is_top || dependency.name == SIMULATORS, "{} -> {}", package.name, dependency.name);
        }
    }
}

#[test]
fn each_foreign_system_is_named_by_the_crates_made_for_it() {
    let owners: [(&str, &[&str]); 4] = [
        ("rdkafka", &["backstitch-messaging-kafka"]),
        ("schema_registry_converter", &["backstitch-messaging-kafka"]),
        ("cel", &["backstitch-saga"]),
        ("serde-saphyr", &["backstitch-saga-yaml"]),
    ];
    let packages = packages();
    for (system, owners) in owners {
        let users: Vec<_> = packages
            .iter()
            .filter(|package| package.dependencies.iter().any(|it| it.name == system && !it.is_for_tests()))
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(users, owners, "crates that name {system}");
    }
}

#[test]
fn pure_crates_touch_nothing_outside() {
    const OUTSIDE: [&str; 7] = ["tokio", "sqlx", "rdkafka", "reqwest", "axum", "rand", "tracing-subscriber"];
    for package in packages() {
        const PURE: [&str; 7] = [
            "backstitch-domain",
            "backstitch-upcaster",
            "backstitch-saga",
            "backstitch-contracts",
            "backstitch-saga-yaml",
            "backstitch-saga-schemas",
            "backstitch-saga-drawing",
        ];
        if !PURE.contains(&package.name.as_str()) {
            continue;
        }
        let touched: Vec<_> = package
            .dependencies
            .iter()
            .filter(|it| !it.is_for_tests() && OUTSIDE.contains(&it.name.as_str()))
            .collect();
        assert!(
            touched.is_empty(),
            "{} touches {:?}",
            package.name,
            touched.iter().map(|it| &it.name).collect::<Vec<_>>()
        );
    }
}
