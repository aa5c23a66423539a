//! Temporal: its four services in one server process on Postgres, a worker for the workflow and one for each participant. The
//! door lets the load in and is not counted: everybody else is reached over HTTP already.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};

use super::install::{Installed, Temporal};
use super::lab::{Lab, PARTICIPANTS, database, listens, run};
use crate::stack::probe;

/// With the folder of their schema.
const DATABASES: [(&str, &str); 2] = [("temporal", "temporal"), ("temporal_visibility", "visibility")];
const SERVICES: [&str; 4] = ["frontend", "history", "matching", "worker"];
/// Limits that would only refuse the load. Nothing else is changed.
const LIMITS: [&str; 8] = [
    "frontend.rps",
    "frontend.namespaceRPS",
    "frontend.namespaceCount",
    "frontend.persistenceMaxQPS",
    "history.rps",
    "history.persistenceMaxQPS",
    "matching.rps",
    "matching.persistenceMaxQPS",
];

/// Starts it. Returns where sagas are begun.
pub(super) fn start(lab: &mut Lab<'_>, installed: &Installed) -> Result<String> {
    let databases = PARTICIPANTS.map(database);
    let names: Vec<_> = databases.iter().map(String::as_str).chain(DATABASES.map(|(name, _)| name)).collect();
    lab.fresh_databases(&names)?;
    create_schemas(lab, &installed.temporal)?;
    let frontend = lab.port("temporal frontend")?;
    let http = configure(lab, frontend)?;
    let server = lab.launch(&installed.temporal.bin.join("server")).arg("--root").arg(lab.dir()).args([
        "--config",
        "config",
        "--env",
        "bench",
        "--allow-no-auth",
        "start",
    ]);
    lab.start("server", &server, || listens(http))?;
    let address = format!("127.0.0.1:{frontend}");
    let program = installed.temporal.saga.clone();
    run(lab.command(&program).args(["-role", "setup", "-server", &address]))?;
    let worker = lab.launch(&program).args(["-role", "saga", "-server", &address]);
    lab.start("saga", &worker, || Ok(()))?;
    for name in PARTICIPANTS {
        let role = ["-role", name, "-server", &address, "-database", &database(name)];
        let worker = lab.launch(&program).env("PEER_POSTGRES", lab.postgres()?).args(role);
        lab.start(name, &worker, || Ok(()))?;
    }
    let port = lab.port("temporal door")?;
    let listen = format!("127.0.0.1:{port}");
    let door = lab.launch(&program).args(["-role", "door", "-server", &address, "-listen", &listen]);
    lab.start("door", &door, || listens(port))?;
    first_saga(port)?;
    Ok(format!("http://{listen}/OrderSaga"))
}

/// Workers say nothing when they are ready; a saga that ends does.
fn first_saga(door: u16) -> Result<()> {
    let order = r#"{"id":"first","decline":false,"data":""}"#;
    for _ in 0..60 {
        if let Ok((200, _)) = probe::post(door, "/OrderSaga/first/run", order) {
            return Ok(());
        }
    }
    bail!("not a single saga ended")
}

fn create_schemas(lab: &Lab<'_>, temporal: &Temporal) -> Result<()> {
    let port = lab.postgres_port()?.to_string();
    for (name, folder) in DATABASES {
        let versions = temporal.schema.join("postgresql/v12").join(folder).join("versioned").display().to_string();
        for step in [["setup-schema", "-v", "0.0"], ["update-schema", "-d", &versions]] {
            let mut tool = lab.command(&temporal.bin.join("sql"));
            tool.env("SQL_PASSWORD", lab.postgres_password()?);
            tool.args(["--plugin", "postgres12", "--ep", "127.0.0.1", "-p", &port, "-u", "postgres", "--db", name]);
            run(tool.args(step))?;
        }
    }
    Ok(())
}

/// Writes the server's configuration. Returns the port on which its frontend speaks HTTP.
fn configure(lab: &Lab<'_>, frontend: u16) -> Result<u16> {
    let folder = lab.dir().join("config");
    std::fs::create_dir_all(&folder)?;
    let limits = lab.dir().join("limits.yaml");
    std::fs::write(&limits, LIMITS.map(|name| format!("{name}:\n  - value: 100000\n")).concat())?;
    let http = lab.port("temporal http")?;
    let mut services = String::new();
    for name in SERVICES {
        let grpc = if name == "frontend" { frontend } else { lab.port(&format!("temporal {name}"))? };
        let membership = lab.port(&format!("temporal {name} membership"))?;
        let rpc = format!("grpcPort: {grpc}, membershipPort: {membership}, bindOnIP: 127.0.0.1");
        let rpc = if name == "frontend" { format!("{rpc}, httpPort: {http}") } else { rpc };
        writeln!(services, "  {name}: {{ rpc: {{ {rpc} }} }}")?;
    }
    std::fs::write(folder.join("bench.yaml"), configuration(lab, frontend, &services, &limits)?)?;
    Ok(http)
}

fn configuration(lab: &Lab<'_>, frontend: u16, services: &str, limits: &Path) -> Result<String> {
    let (port, password) = (lab.postgres_port()?, lab.postgres_password()?);
    let store = |database: &str, connections: u32| {
        format!(
            "{{ sql: {{ pluginName: postgres12, databaseName: {database}, connectAddr: \"127.0.0.1:{port}\", \
             connectProtocol: tcp, user: postgres, password: \"{password}\", maxConns: {connections}, \
             maxIdleConns: {connections}, maxConnLifetime: 1h }} }}"
        )
    };
    let (history, visibility) = (store("temporal", 40), store("temporal_visibility", 10));
    let limits = limits.display();
    Ok(format!(
        "log: {{ stdout: true, level: error }}
persistence:
  defaultStore: history
  visibilityStore: visibility
  numHistoryShards: 64
  datastores:
    history: {history}
    visibility: {visibility}
global:
  membership: {{ maxJoinDuration: 30s, broadcastAddress: 127.0.0.1 }}
services:
{services}clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {{ enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: \"127.0.0.1:{frontend}\" }}
dcRedirectionPolicy: {{ policy: noop }}
dynamicConfigClient: {{ filepath: \"{limits}\", pollInterval: 60s }}
"
    ))
}
