//! `docker-compose.yml` against the services it configures: a variable that no service knows is a typo, and one that only the
//! local stack sets has been forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use backstitch_dev::stack::{Component, Service, workspace};
use serde_json::Value;

use crate::system::{System, system};

const PREFIX: &str = "BACKSTITCH_";

/// The settings of a service in the compose file, defaults put in.
fn composed(compose: &Value, service: Service) -> Result<BTreeMap<String, String>> {
    let variables = compose["services"][service.name()]["environment"].as_object();
    let variables = variables.with_context(|| format!("the compose file has no {}", service.name()))?;
    let settings = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
    settings.map(|(name, value)| Ok((name.clone(), defaulted(value.as_str().context("a value is no text")?)))).collect()
}

/// `${NAME:-default}` as it is where nobody sets the name.
fn defaulted(text: &str) -> String {
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap_or((part, ""));
        out.push_str(variable.split_once(":-").map_or("", |(_, default)| default));
        out.push_str(rest);
    }
    out
}

fn proc_file(system: &System, service: Service, file: &str) -> Result<String> {
    let process = system.stack().process(Component::Service(service, 1));
    let process = process.with_context(|| format!("{} does not run", service.name()))?;
    Ok(format!("/proc/{}/{file}", process.pid))
}

#[test]
fn every_service_accepts_what_the_compose_file_sets() -> Result<()> {
    let system = system()?;
    let compose: Value = serde_saphyr::from_str(&fs::read_to_string(workspace().join("docker-compose.yml"))?)?;
    for service in Service::ALL {
        let program = fs::read_link(proc_file(system, service, "exe")?)?;
        let checked =
            Command::new(program).arg("--check-config").env_clear().envs(composed(&compose, service)?).output()?;
        let said = [checked.stdout, checked.stderr].concat();
        ensure!(checked.status.success(), "{}: {}", service.name(), String::from_utf8_lossy(&said));
    }
    Ok(())
}

#[test]
fn the_compose_file_sets_all_that_the_local_stack_sets() -> Result<()> {
    let system = system()?;
    let compose: Value = serde_saphyr::from_str(&fs::read_to_string(workspace().join("docker-compose.yml"))?)?;
    for service in Service::ALL {
        let environment = fs::read(proc_file(system, service, "environ")?)?;
        let local: BTreeSet<String> = String::from_utf8_lossy(&environment)
            .split('\0')
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.starts_with(PREFIX) && name.contains("__"))
            .collect();
        assert!(local.len() >= 5, "{} runs with {local:?}", service.name());
        let composed: BTreeSet<String> = composed(&compose, service)?.into_keys().collect();
        let forgotten: Vec<_> = local.difference(&composed).collect();
        assert!(forgotten.is_empty(), "{} misses {forgotten:?}", service.name());
    }
    Ok(())
}
