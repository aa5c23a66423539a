//! Looking at sagas: lists, and one with its timeline.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::{Cli, ListArgs, SagaArgs};
use crate::exit::{Code, coded};
use crate::orchestrator::Orchestrator;
use crate::output::{print, print_json, table};

/// The most the API gives at once.
const PAGE: usize = 500;

pub(crate) async fn list(cli: &Cli, asked: &ListArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let given = [
        ("status", asked.status.clone()),
        ("definition", asked.definition.clone()),
        ("definition_hash", asked.definition_hash.clone()),
        ("key", asked.key.clone()),
        ("where", attributes(&asked.attributes)),
        ("since", asked.since.map(|since| since.to_rfc3339())),
        ("until", asked.until.map(|until| until.to_rfc3339())),
    ];
    let sagas = pages(&orchestrator, "/sagas", &given, asked.limit).await?;
    listed(cli, &sagas)?;
    Ok(Code::Done)
}

/// Shows sagas as lists do.
///
/// # Errors
/// If they have no JSON form.
pub(crate) fn listed(cli: &Cli, sagas: &[Value]) -> anyhow::Result<()> {
    if cli.json {
        return print_json(&sagas);
    }
    let rows = sagas.iter().map(|saga| {
        let cell = |name: &str| text(&saga[name]);
        let started = short_time(&cell("started_at"));
        let mode = if saga["is_observed"] == true { " (observed)" } else { "" };
        [cell("id"), cell("definition") + mode, cell("key"), cell("status"), started, cell("reason")]
    });
    print(&table(["id", "definition", "key", "status", "started", "reason"], rows));
    Ok(())
}

/// The sagas of as many pages as it takes, up to the limit.
///
/// # Errors
/// With the exit code of what went wrong.
pub(crate) async fn pages(
    orchestrator: &Orchestrator,
    path: &str,
    given: &[(&'static str, Option<String>)],
    limit: usize,
) -> anyhow::Result<Vec<Value>> {
    let given: Vec<_> = given.iter().filter_map(|(name, value)| Some((*name, value.clone()?))).collect();
    let mut sagas: Vec<Value> = Vec::new();
    let mut cursor = None;
    while sagas.len() < limit {
        let mut query = given.clone();
        query.push(("limit", (limit - sagas.len()).min(PAGE).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = orchestrator.get(path, &query).await?;
        if let Value::Array(more) = page["sagas"].take() {
            sagas.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(sagas)
}

/// Search attributes as the API reads them.
pub(crate) fn attributes(asked: &[(String, String)]) -> Option<String> {
    let wanted: BTreeMap<&str, &str> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (!wanted.is_empty()).then(|| json!(wanted).to_string())
}

pub(crate) async fn show(cli: &Cli, asked: &SagaArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let id = resolve(&orchestrator, &asked.saga, asked.definition.as_deref()).await?;
    let mut saga = orchestrator.get(&format!("/sagas/{id}"), &[]).await?;
    let mut next = saga["next"].as_i64();
    while let Some(after) = next {
        let mut rest = orchestrator.get(&format!("/sagas/{id}"), &[("after", after.to_string())]).await?;
        if let (Some(timeline), Value::Array(more)) = (saga["timeline"].as_array_mut(), rest["timeline"].take()) {
            timeline.extend(more);
        }
        next = rest["next"].as_i64();
    }
    if let Some(fields) = saga.as_object_mut() {
        fields.remove("next");
    }
    if cli.json {
        print_json(&saga)?;
    } else {
        print(&card(&saga));
        print("");
        if saga["journal_dropped"] == true {
            print("its journal is older than the orchestrator keeps journals; `saga.events` may have it");
            return Ok(Code::Done);
        }
        let entries = saga["timeline"].as_array().cloned().unwrap_or_default();
        print(&table(["#", "at", "what", "step", "about", "by"], entries.iter().map(entry_row)));
    }
    Ok(Code::Done)
}

fn card(saga: &Value) -> String {
    let steps = saga["steps"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
    let lines = [
        ("saga", text(&saga["id"])),
        ("definition", text(&saga["definition"])),
        ("mode", if saga["is_observed"] == true { "observed".to_owned() } else { String::new() }),
        ("key", text(&saga["key"])),
        ("status", text(&saga["status"])),
        ("reason", text(&saga["reason"])),
        ("under way", steps),
        ("waits", waits(saga)),
        ("started", text(&saga["started_at"])),
        ("finished", text(&saga["finished_at"])),
        ("correlation", text(&saga["correlation_id"])),
    ];
    let shown = lines.into_iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:<12} {value}")).collect::<Vec<_>>().join("\n")
}

/// What waits for its turn at a participant with limits.
fn waits(saga: &Value) -> String {
    let waits = saga["waits"].as_array().into_iter().flatten().map(|wait| {
        let (step, participant, before) = (text(&wait["step"]), text(&wait["participant"]), text(&wait["before"]));
        format!("{step} for its turn at {participant}, {before} before it")
    });
    waits.collect::<Vec<_>>().join("; ")
}

/// A timeline's entry as a row: place, time, what, step, what about it, who.
pub(crate) fn entry_row(entry: &Value) -> [String; 6] {
    let data = &entry["data"];
    [
        text(&entry["seq"]),
        short_time(&text(&entry["at"])),
        text(&entry["kind"]),
        text(&data["step"]),
        about(data),
        text(&entry["user_id"]),
    ]
}

/// What is worth a column: why, or what was answered, or which attempt it is.
fn about(data: &Value) -> String {
    let cause = &data["cause"];
    let attempt = data["attempt"].as_u64().filter(|attempt| *attempt > 1);
    let told = [
        text(&data["reason"]),
        text(&cause["reason"]),
        text(&cause["by"]["why"]),
        text(&cause["because"]).replace('_', " "),
        text(&data["by"]["why"]),
        text(&data["event_type"]),
        text(&data["participant"]),
        attempt.map(|attempt| format!("attempt {attempt}")).unwrap_or_default(),
    ];
    told.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// A JSON value as a cell.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `2026-01-31T12:00:00.123456Z` as `01-31 12:00:00.123`.
pub(crate) fn short_time(text: &str) -> String {
    chrono::DateTime::parse_from_rfc3339(text)
        .map_or_else(|_| text.to_owned(), |time| time.format("%m-%d %H:%M:%S%.3f").to_string())
}

/// The id of the saga that is named by its id or its key. A key may look like an id (an order's does), so ids are tried
/// first.
pub(crate) async fn resolve(
    orchestrator: &Orchestrator,
    named: &str,
    definition: Option<&str>,
) -> anyhow::Result<Uuid> {
    if let Ok(id) = named.parse::<Uuid>() {
        let found = orchestrator.get(&format!("/sagas/{id}"), &[("limit", "1".to_owned())]).await;
        match found {
            Ok(_) => return Ok(id),
            Err(error) if crate::exit::of(&error) == Code::Unknown => {}
            Err(error) => return Err(error),
        }
    }
    let mut query = vec![("key", named.to_owned()), ("limit", "2".to_owned())];
    query.extend(definition.map(|name| ("definition", name.to_owned())));
    let page = orchestrator.get("/sagas", &query).await?;
    match page["sagas"].as_array().map(Vec::as_slice).unwrap_or_default() {
        [] => Err(coded(Code::Unknown, format!("no saga has the id or key `{named}`"))),
        [saga] => saga["id"].as_str().and_then(|id| id.parse().ok()).context("the orchestrator answered no id"),
        [one, other, ..] => {
            let names = json!([one["definition"], other["definition"]]);
            Err(coded(
                Code::Usage,
                format!("several sagas have the key `{named}` ({names}); name one with --definition"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{about, short_time, waits};

    #[test]
    fn a_timeline_says_why() {
        let cases = [
            (json!({ "reason": "no reply", "event_type": "x" }), "no reply"),
            (json!({ "cause": { "because": "refused", "reason": "out of stock" } }), "out of stock"),
            (json!({ "cause": { "because": "cancelled", "by": { "who": "ann", "why": "a double" } } }), "a double"),
            (json!({ "cause": { "because": "deadline_passed" } }), "deadline passed"),
            (json!({ "by": { "who": "ann", "why": "have a look" } }), "have a look"),
            (json!({ "event_type": "InventoryReserved" }), "InventoryReserved"),
            (json!({ "participant": "inventory.commands", "raises_try": false }), "inventory.commands"),
            (json!({ "attempt": 2 }), "attempt 2"),
            (json!({ "attempt": 1 }), ""),
        ];
        for (data, told) in cases {
            assert_eq!(about(&data), told, "{data}");
        }
    }

    #[test]
    fn a_saga_tells_what_it_waits_for() {
        let wait = json!({ "step": "pay", "participant": "payments.commands", "before": 12 });
        assert_eq!(waits(&json!({ "waits": [wait] })), "pay for its turn at payments.commands, 12 before it");
        assert_eq!(waits(&json!({ "waits": [] })), "");
    }

    #[test]
    fn times_are_short_and_what_is_none_stays() {
        assert_eq!(short_time("2026-01-31T12:00:00.123456Z"), "01-31 12:00:00.123");
        assert_eq!(short_time("yesterday"), "yesterday");
    }
}
