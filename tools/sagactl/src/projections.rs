//! Read models: how far each version has come, and building one anew. The order service does the work; here it is asked
//! for and shown.

use serde_json::{Value, json};

use crate::cli::{Cli, ProjectionsArgs, ProjectionsCommand};
use crate::exit::Code;
use crate::orchestrator::Orchestrator;
use crate::output::{print, print_json, table};

pub(crate) async fn run(cli: &Cli, asked: &ProjectionsArgs) -> anyhow::Result<Code> {
    let order = Orchestrator::order_service(cli, &asked.order)?;
    let (name, action, body) = match &asked.command {
        ProjectionsCommand::List => {
            let listed = order.get("/projections", &[]).await?;
            show(cli, &listed["projections"])?;
            return Ok(Code::Done);
        }
        ProjectionsCommand::Rebuild { name, by_hand } => (name, "rebuild", json!({ "by_hand": by_hand })),
        ProjectionsCommand::Swap { name, force } => (name, "swap", json!({ "force": force })),
        ProjectionsCommand::Cancel { name } => (name, "cancel", json!({})),
    };
    let answer = order.change(&format!("/projections/{name}/{action}"), &body).await?;
    if cli.json {
        print_json(&answer)?;
    } else {
        let done = match action {
            "rebuild" => "is being built; follow it with `sagactl projections list`",
            "swap" => "is live",
            _ => "is given up",
        };
        print(&format!("version {} of {name} {done}", answer["version"]));
    }
    Ok(Code::Done)
}

fn show(cli: &Cli, versions: &Value) -> anyhow::Result<()> {
    if cli.json {
        return print_json(versions);
    }
    let rows = versions.as_array().into_iter().flatten().map(|version| {
        let text = |name: &str| version[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| version[name].to_string();
        [
            text("name"),
            number("version"),
            text("state"),
            progress(version),
            number("left"),
            eta(version),
            number("applied"),
            number("skipped"),
            verdict(version).to_owned(),
        ]
    });
    let headings = ["name", "version", "state", "read", "left", "eta", "applied", "skipped", "verdict"];
    print(&table(headings, rows));
    Ok(())
}

/// Rounded down: 100 % is said once nothing is left.
fn progress(version: &Value) -> String {
    format!("{} %", (version["progress"].as_f64().unwrap_or_default() * 100.0).floor())
}

fn eta(version: &Value) -> String {
    version["eta_seconds"].as_f64().map_or_else(|| "-".to_owned(), |seconds| format!("{} s", seconds.ceil()))
}

fn verdict(version: &Value) -> &'static str {
    match (version["verdict"].is_object(), version["verified"].as_bool()) {
        (false, _) => "-",
        (true, Some(true)) => "good",
        (true, _) => "differs",
    }
}
