//! `docs/messages.md` is made from the schema files; this makes it, and fails where it is out of date.
//! `UPDATE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::path::Path;

use backstitch_contracts::{Catalog, Cleanup, Topic};
use serde_json::Value;

const INTRODUCTION: &str = "# Messages

Made from `schemas/` by a test of `libs/contracts`; `UPDATE_DOCS=1 cargo test -p backstitch-contracts` writes it anew.

Values are in the Confluent wire format (a zero, the schema's id in four bytes, Avro); the subject of a topic is
`<topic>-value`. Each topic has one schema: the record `Envelope`, whose field `data` is a union of the records below.
The union member of `event_type` `X` is `X` for `event_version` 1 and `XV2`, `XV3`, … after. Every topic has a
`<topic>.dlq` beside it. How the members may change is in `schemas/README.md`.
";

fn rendered(catalog: &Catalog) -> String {
    let mut page = INTRODUCTION.to_owned();
    topics_table(catalog, &mut page);
    let mut envelope = false;
    for topic in catalog.topics() {
        let Some(schema) = &topic.schema else { continue };
        let schema: Value = serde_json::from_str(schema).unwrap();
        if !envelope {
            envelope = true;
            page.push_str("\n## Envelope\n");
            fields_table(&schema, &mut page);
        }
        members(topic, &schema, &mut page);
    }
    page
}

fn topics_table(catalog: &Catalog, page: &mut String) {
    page.push_str("\n## Topics\n\n| topic | key | old records | carries |\n|---|---|---|---|\n");
    for topic in catalog.topics() {
        let kept = match (topic.cleanup, topic.retention_days) {
            (Cleanup::Compact, _) => "the newest of each key is kept".to_owned(),
            (Cleanup::Delete, Some(days)) => format!("deleted after {days} days"),
            (Cleanup::Delete, None) => "kept for ever".to_owned(),
        };
        let carries = match topic.members.len() {
            0 => "messages of other topics, unchanged".to_owned(),
            1 => format!("`{}`", topic.members[0]),
            count => format!("{count} {}", format!("{:?}", topic.kind).to_lowercase()),
        };
        writeln!(page, "| `{}` | {} | {kept} | {carries} |", topic.name, topic.key).unwrap();
    }
}

fn members(topic: &Topic, schema: &Value, page: &mut String) {
    writeln!(page, "\n## {}", topic.name).unwrap();
    let data = schema["fields"].as_array().unwrap().last().unwrap();
    for member in data["type"].as_array().unwrap() {
        writeln!(page, "\n### {}\n\n{}", member["name"].as_str().unwrap(), doc(member)).unwrap();
        fields_table(member, page);
    }
}

fn fields_table(record: &Value, page: &mut String) {
    page.push_str("\n| field | type | default | |\n|---|---|---|---|\n");
    rows(record, "", page);
}

/// One row a field; the fields of records inside follow their own.
fn rows(record: &Value, prefix: &str, page: &mut String) {
    for field in record["fields"].as_array().unwrap() {
        let name = format!("{prefix}{}", field["name"].as_str().unwrap());
        let default = field.get("default").map_or(String::new(), |default| format!("`{default}`"));
        let (shown, inner) = described(&field["type"]);
        writeln!(page, "| `{name}` | {shown} | {default} | {} |", doc(field)).unwrap();
        if let Some((record, suffix)) = inner.filter(|_| name != "data") {
            rows(record, &format!("{name}{suffix}."), page);
        }
    }
}

/// A type in words, and the record in it, if there is one.
fn described(kind: &Value) -> (String, Option<(&Value, &'static str)>) {
    match kind {
        Value::String(name) => (name.clone(), None),
        Value::Array(union) => match union.as_slice() {
            [null, some] if null == "null" => {
                let (shown, inner) = described(some);
                (format!("{shown} or null"), inner)
            }
            _ => ("union".to_owned(), None),
        },
        Value::Object(object) => match (object["type"].as_str().unwrap(), object.get("logicalType")) {
            ("array", _) => {
                let (shown, inner) = described(&object["items"]);
                (format!("array of {shown}"), inner.map(|(record, _)| (record, "[]")))
            }
            ("map", _) => (format!("map of {}", described(&object["values"]).0), None),
            ("record", _) => ("record".to_owned(), Some((kind, ""))),
            (name, Some(logical)) => (format!("{name} ({})", logical.as_str().unwrap()), None),
            (name, None) => (name.to_owned(), None),
        },
        other => (other.to_string(), None),
    }
}

fn doc(value: &Value) -> &str {
    value.get("doc").and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn the_catalog_of_messages_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/messages.md");
    let page = rendered(&Catalog::embedded().unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/messages.md is out of date: UPDATE_DOCS=1 cargo test -p backstitch-contracts docs");
}
