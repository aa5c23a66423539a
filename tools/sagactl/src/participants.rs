//! Participants: how their circuit breakers stand, and standing their clocks still by hand.

use serde_json::{Value, json};

use crate::cli::{Cli, ParticipantsCommand};
use crate::exit::Code;
use crate::orchestrator::Orchestrator;
use crate::output::{print, print_json, table};
use crate::sagas::{short_time, text};

pub(crate) async fn run(cli: &Cli, asked: &ParticipantsCommand) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let (topic, action, reason) = match asked {
        ParticipantsCommand::List => {
            let listed = orchestrator.get("/participants", &[]).await?;
            return show(cli, &listed["participants"]);
        }
        ParticipantsCommand::Pause { topic, reason } => (topic, "pause", reason),
        ParticipantsCommand::Resume { topic, reason } => (topic, "resume", reason),
    };
    let body = json!({ "reason": reason });
    let participant = orchestrator.change(&format!("/participants/{topic}/{action}"), &body).await?;
    if cli.json {
        print_json(&participant)?;
    } else {
        let done = if action == "pause" { "stand still" } else { "run" };
        print(&format!("the clocks of what {topic} was asked {done}"));
    }
    Ok(Code::Done)
}

fn show(cli: &Cli, participants: &Value) -> anyhow::Result<Code> {
    if cli.json {
        print_json(participants)?;
        return Ok(Code::Done);
    }
    let rows = participants.as_array().into_iter().flatten().map(|participant| {
        let cell = |name: &str| text(&participant[name]);
        [
            cell("topic"),
            cell("breaker").replace('_', " "),
            short_time(&cell("since")),
            cell("by"),
            cell("reason"),
            cell("in_flight_max"),
            cell("rate_max"),
            cell("backlog"),
            rounded(&participant["read_per_second"]),
            rounded(&participant["eta_seconds"]) + if participant["eta_seconds"].is_null() { "" } else { " s" },
        ]
    });
    print(&table(
        ["topic", "breaker", "since", "by", "reason", "at once", "rate", "backlog", "read/s", "done in"],
        rows,
    ));
    Ok(Code::Done)
}

/// A number for people; nothing where it is not known.
fn rounded(value: &Value) -> String {
    value.as_f64().map(|number| format!("{number:.0}")).unwrap_or_default()
}
