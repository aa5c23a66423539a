//! Changing sagas. All of it is one request and one answer; what differs is words.

use std::io::Read;

use anyhow::Context;
use serde_json::{Value, json};

use crate::bulk;
use crate::cli::{ActArgs, Cli, SignalArgs, StartArgs};
use crate::exit::{Code, coded};
use crate::orchestrator::{Answer, Orchestrator};
use crate::output::{print, print_json, table};
use crate::sagas::{entry_row, resolve, text};

pub(crate) async fn start(cli: &Cli, asked: &StartArgs) -> anyhow::Result<Code> {
    let data = given(&asked.data)?;
    if !data.is_object() {
        return Err(coded(Code::Usage, "a saga's data is a JSON object"));
    }
    let body = json!({ "definition": asked.definition, "key": asked.key, "data": data });
    let answer = Orchestrator::of(cli)?.post("/sagas", asked.wait.wait, &body).await?;
    told(cli, asked.wait.wait, &answer)
}

pub(crate) async fn act(cli: &Cli, what: &str, asked: &ActArgs) -> anyhow::Result<Code> {
    let Some(saga) = &asked.saga else { return bulk::act(cli, what, asked).await };
    let orchestrator = Orchestrator::of(cli)?;
    let id = resolve(&orchestrator, saga, asked.definition.as_deref()).await?;
    let body = json!({ "reason": asked.reason });
    let answer = orchestrator.post(&format!("/sagas/{id}/{what}"), asked.wait.wait, &body).await?;
    told(cli, asked.wait.wait, &answer)
}

pub(crate) async fn signal(cli: &Cli, asked: &SignalArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let id = resolve(&orchestrator, &asked.saga, asked.definition.as_deref()).await?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !asked.name.chars().all(plain) || asked.name.is_empty() {
        return Err(coded(
            Code::Usage,
            format!("`{}` is no signal's name: letters, digits, `-`, `_` and `.`", asked.name),
        ));
    }
    let body = json!({ "reason": asked.reason, "data": given(&asked.data)? });
    let answer = orchestrator.post(&format!("/sagas/{id}/signal/{}", asked.name), asked.wait.wait, &body).await?;
    told(cli, asked.wait.wait, &answer)
}

fn told(cli: &Cli, waited: f64, answer: &Answer) -> anyhow::Result<Code> {
    if cli.json {
        print_json(&answer.body)?;
    } else {
        let status = text(&answer.body["status"]);
        let status = if status.is_empty() { "not known yet".to_owned() } else { status };
        print(&format!("saga {}  {status}", text(&answer.body["saga_id"])));
        let entries = answer.body["entries"].as_array().cloned().unwrap_or_default();
        if !entries.is_empty() {
            print(&table(["#", "at", "what", "step", "about", "by"], entries.iter().map(entry_row)));
        }
    }
    // Who asked not to wait got what they asked for.
    Ok(if answer.accepted_only && waited > 0.0 { Code::NotSeenYet } else { Code::Done })
}

/// JSON given as an argument, in a file, or on standard input.
fn given(text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("`{file}` cannot be read"))?,
        None if text == "-" => {
            let mut read = String::new();
            std::io::stdin().read_to_string(&mut read).context("standard input cannot be read")?;
            read
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| coded(Code::Usage, format!("the data is no JSON: {error}")))
}
