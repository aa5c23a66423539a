//! DBOS: a library on Postgres, so the executor is a process of ours; the participants are processes beside it.

use anyhow::Result;

use super::install::built;
use super::lab::{Lab, PARTICIPANTS, database, listens};

/// Starts it. Returns where sagas are begun.
pub(super) fn start(lab: &mut Lab<'_>) -> Result<String> {
    let databases = PARTICIPANTS.map(database);
    let names: Vec<_> = databases.iter().map(String::as_str).chain(["dbos"]).collect();
    lab.fresh_databases(&names)?;
    let mut participants = Vec::new();
    for name in PARTICIPANTS {
        participants.push(lab.start_participant(name)?);
    }
    let port = lab.port("dbos")?;
    let executor = lab.launch(&built("peer-dbos")).env("PEER_DATABASE", format!("{}/dbos", lab.postgres()?)).args([
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--participants",
        &participants.join(","),
    ]);
    lab.start("executor", &executor, || listens(port))?;
    Ok(format!("http://127.0.0.1:{port}/OrderSaga"))
}
