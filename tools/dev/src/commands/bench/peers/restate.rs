//! Restate: one server with its defaults, which flush each batch of its log to disk; the saga and each participant are endpoints
//! of their own, whose state the server keeps.

use anyhow::{Result, ensure};

use super::install::{Installed, built};
use super::lab::{Lab, PARTICIPANTS, listens};
use crate::stack::probe;

/// Starts it. Returns where sagas are begun.
pub(super) fn start(lab: &mut Lab<'_>, installed: &Installed) -> Result<String> {
    let (node, admin, ingress) = (lab.port("restate")?, lab.port("restate admin")?, lab.port("restate ingress")?);
    let config = lab.dir().join("restate.toml");
    let data = lab.dir().join("data").display().to_string();
    std::fs::write(
        &config,
        format!(
            "disable-telemetry = true\nlog-filter = \"warn\"\nlog-disable-ansi-codes = true\nnode-name = \"n1\"\n\
             base-dir = \"{data}\"\nbind-ip = \"127.0.0.1\"\nbind-port = {node}\n\
             advertised-address = \"http://127.0.0.1:{node}/\"\n\
             [admin]\nbind-address = \"127.0.0.1:{admin}\"\n[ingress]\nbind-address = \"127.0.0.1:{ingress}\"\n"
        ),
    )?;
    let server = lab.launch(&installed.restate_server).arg("--config-file").arg(&config);
    lab.start("server", &server, || probe::http(admin, "/health"))?;
    for part in PARTICIPANTS.iter().chain(["saga"].iter()) {
        let port = lab.port(&format!("restate {part}"))?;
        let listen = format!("127.0.0.1:{port}");
        let endpoint = lab.launch(&built("peer-restate")).args(["--serve", part, "--listen", &listen]);
        // It speaks HTTP/2 alone, so that being registered is the only question of ours it answers.
        lab.start(part, &endpoint, || register(admin, port))?;
    }
    listens(ingress)?;
    Ok(format!("http://127.0.0.1:{ingress}/OrderSaga"))
}

fn register(admin: u16, endpoint: u16) -> Result<()> {
    let body = format!("{{\"uri\":\"http://127.0.0.1:{endpoint}\",\"force\":true}}");
    let (status, said) = probe::post(admin, "/deployments", &body)?;
    ensure!((200..300).contains(&status), "the server refuses the endpoint: {status} {said}");
    Ok(())
}
