//! Following one saga as it moves.

use std::time::Duration;

use serde_json::Value;

use crate::cli::{Cli, SagaArgs};
use crate::exit::Code;
use crate::orchestrator::Orchestrator;
use crate::output::print;
use crate::sagas::{entry_row, resolve, text};

/// Quick enough to watch, slow enough to leave running.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// Prints the timeline as it grows; ends when the saga ends, or needs a person.
pub(crate) async fn watch(cli: &Cli, asked: &SagaArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let id = resolve(&orchestrator, &asked.saga, asked.definition.as_deref()).await?;
    let mut after = 0;
    loop {
        let saga = orchestrator.get(&format!("/sagas/{id}"), &[("after", after.to_string())]).await?;
        for entry in saga["timeline"].as_array().into_iter().flatten() {
            after = entry["seq"].as_i64().unwrap_or(after);
            shown(cli, entry);
        }
        if saga["next"].is_null() && rests(&saga) {
            if !cli.json {
                let reason = text(&saga["reason"]);
                print(format!("{} {reason}", text(&saga["status"])).trim_end());
            }
            return Ok(Code::Done);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// One line an entry: JSON lines for programs.
fn shown(cli: &Cli, entry: &Value) {
    if cli.json {
        print(&entry.to_string());
    } else {
        let [_, at, what, step, about, by] = entry_row(entry);
        print(format!("{at}  {what:<24} {step:<24} {about} {by}").trim_end());
    }
}

fn rests(saga: &Value) -> bool {
    !saga["finished_at"].is_null() || saga["status"] == "stuck"
}
