//! Letting live sagas go on under another definition. The orchestrator says which can; here it is asked for, shown, and sent
//! to each. Separate from definitions in files, which need no connection.

use serde_json::{Value, json};

use crate::bulk::{Change, Left, confirmed, counted, each};
use crate::cli::{Cli, MigrateArgs};
use crate::exit::{Code, coded};
use crate::orchestrator::Orchestrator;
use crate::output::{print, print_json, table};
use crate::sagas::{pages, text};

pub(crate) async fn migrate(cli: &Cli, asked: &MigrateArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let known = orchestrator.get("/definitions", &[]).await?;
    let (from, to) = (one(&known, &asked.from)?, one(&known, &asked.to)?);
    let path = format!("/definitions/{}/migration", text(&from["hash"]));
    let checked = pages(&orchestrator, &path, &[("to", Some(text(&to["hash"])))], usize::MAX).await?;
    if asked.dry_run {
        return told(cli, &checked);
    }
    let (can, cannot): (Vec<Value>, Vec<Value>) = checked.into_iter().partition(can_move);
    let question = format!("move {} from {} to {}?", counted(can.len()), named(from), named(to));
    if !can.is_empty() && !confirmed(&question, asked.yes)? {
        return Err(coded(Code::Refused, "nothing was moved"));
    }
    let body = json!({ "to": text(&to["hash"]), "reason": asked.reason });
    let change = Change { what: "migrate".to_owned(), body, wait: asked.wait.wait };
    let mut tally = each(orchestrator, can, change).await?;
    tally.not_applicable.extend(cannot.iter().map(|saga| Left::of(saga, &obstacles(saga))));
    tally.tell(cli, asked.wait.wait)
}

/// The definition whose hash begins so.
fn one<'a>(known: &'a Value, given: &str) -> anyhow::Result<&'a Value> {
    let begins = |definition: &&Value| definition["hash"].as_str().is_some_and(|hash| hash.starts_with(given));
    let found: Vec<&Value> = known.as_array().into_iter().flatten().filter(begins).collect();
    match found.as_slice() {
        [] => Err(coded(Code::Unknown, format!("no definition's hash begins with `{given}`"))),
        [one] => Ok(one),
        _ => Err(coded(Code::Usage, format!("the hashes of {} definitions begin with `{given}`", found.len()))),
    }
}

fn named(definition: &Value) -> String {
    let hash = text(&definition["hash"]);
    let short: String = hash.chars().take(8).collect();
    format!("{} v{} ({short})", text(&definition["name"]), definition["version"])
}

fn can_move(saga: &Value) -> bool {
    saga["obstacles"].as_array().is_some_and(Vec::is_empty)
}

fn obstacles(saga: &Value) -> String {
    saga["obstacles"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join("; ")
}

/// What would happen; whether all of it would go well.
fn told(cli: &Cli, checked: &[Value]) -> anyhow::Result<Code> {
    let can = checked.iter().filter(|saga| can_move(saga)).count();
    if cli.json {
        print_json(&checked)?;
    } else {
        let rows = checked.iter().map(|saga| {
            let verdict = if can_move(saga) { "can move" } else { "cannot move" };
            [text(&saga["id"]), text(&saga["key"]), text(&saga["status"]), verdict.to_owned(), obstacles(saga)]
        });
        print(&table(["id", "key", "status", "verdict", "why"], rows));
        print(&format!("{can} can move, {} cannot", checked.len() - can));
    }
    Ok(if can == checked.len() { Code::Done } else { Code::NotAsItShould })
}
