//! Schemas for topics that have none in the tree, and data that fits those which do. Separate, because it knows Avro's
//! text and nothing of sagas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use backstitch_contracts::Catalog;
use serde_json::{Map, Value, json};

/// A time for fields that nobody has an opinion about.
const SOME_DAY: &str = "2027-01-15T08:00:00.000000Z";

/// How deep lists and objects may lie in each other where nobody has said what a field holds.
const DEPTH_MAX: u32 = 3;

/// The schema of a topic whose members have these fields, each of which may be anything.
pub(crate) fn envelope(members: &BTreeMap<String, BTreeSet<String>>) -> String {
    let kind = any(DEPTH_MAX);
    let field = |name: &String| json!({"name": name, "type": kind, "default": null});
    let member = |(name, fields): (&String, &BTreeSet<String>)| json!({"type": "record", "name": name, "fields": fields.iter().map(field).collect::<Vec<_>>()});
    let uuid = json!({"type": "string", "logicalType": "uuid"});
    json!({
        "type": "record", "name": "Envelope", "namespace": "simulated", "fields": [
            {"name": "event_id", "type": uuid},
            {"name": "event_type", "type": "string"},
            {"name": "event_version", "type": "int"},
            {"name": "aggregate_id", "type": "string"},
            {"name": "aggregate_type", "type": "string"},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "correlation_id", "type": uuid},
            {"name": "causation_id", "type": ["null", uuid], "default": null},
            {"name": "user_id", "type": ["null", "string"], "default": null},
            {"name": "metadata", "type": {"type": "map", "values": "string"}, "default": {}},
            {"name": "data", "type": members.iter().map(member).collect::<Vec<_>>()},
        ]
    })
    .to_string()
}

fn any(depth: u32) -> Value {
    let mut kinds = vec![json!("null"), json!("boolean"), json!("long"), json!("double"), json!("string")];
    if let Some(depth) = depth.checked_sub(1) {
        kinds.push(json!({"type": "array", "items": any(depth)}));
        kinds.push(json!({"type": "map", "values": any(depth)}));
    }
    Value::Array(kinds)
}

/// Data for the newest version of a member: what is given, as far as the member has it, and something for the rest.
pub(crate) fn filled(schema: &str, event: &str, given: &Value) -> Result<Value> {
    let schema: Value = serde_json::from_str(schema)?;
    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members = fields.iter().find(|field| field["name"] == "data").and_then(|field| field["type"].as_array());
    let of_event = |member: &&Value| member["name"].as_str().is_some_and(|name| version(name, event).is_some());
    let found = members.into_iter().flatten().filter(of_event);
    let newest = found.max_by_key(|member| member["name"].as_str().and_then(|name| version(name, event)));
    record(newest.with_context(|| format!("no schema has the event `{event}`"))?, given)
}

/// The newest version that the schema has of an event.
pub(crate) fn newest(schema: &str, event: &str) -> i32 {
    (2..10).rev().find(|number| schema.contains(&format!("\"{event}V{number}\""))).unwrap_or(1)
}

fn version(name: &str, event: &str) -> Option<i32> {
    match name.strip_prefix(event)? {
        "" => Some(1),
        rest => rest.strip_prefix('V')?.parse().ok(),
    }
}

fn record(member: &Value, given: &Value) -> Result<Value> {
    let mut data = Map::new();
    for field in member["fields"].as_array().into_iter().flatten() {
        let name = field["name"].as_str().unwrap_or_default();
        let value = match given.get(name) {
            Some(value) => value.clone(),
            None if field.get("default").is_some() => continue,
            None => anything(&field["type"]).with_context(|| format!("the field `{name}`"))?,
        };
        data.insert(name.to_owned(), value);
    }
    Ok(Value::Object(data))
}

fn anything(kind: &Value) -> Result<Value> {
    Ok(match kind {
        Value::Array(branches) => match branches.iter().find(|branch| *branch == "null") {
            Some(_) => Value::Null,
            None => anything(branches.first().unwrap_or(&Value::Null))?,
        },
        Value::String(name) => match name.as_str() {
            "string" => json!("something"),
            "boolean" => json!(false),
            "int" | "long" => json!(1),
            "double" | "float" => json!(1.0),
            other => bail!("no idea what `{other}` is"),
        },
        Value::Object(complex) => {
            let logical = complex.get("logicalType").and_then(Value::as_str).unwrap_or_default();
            match complex.get("type") {
                Some(_) if logical.starts_with("timestamp") => json!(SOME_DAY),
                Some(Value::String(name)) if name == "array" => json!([]),
                Some(Value::String(name)) if name == "map" => json!({}),
                Some(Value::String(name)) if name == "record" => record(kind, &Value::Null)?,
                Some(Value::String(name)) if name == "enum" => {
                    complex.get("symbols").map_or(Value::Null, |s| s[0].clone())
                }
                Some(inner) => anything(inner)?,
                None => bail!("a type without `type`"),
            }
        }
        other => bail!("no idea what {other} is"),
    })
}

/// The schema of a topic of the tree; `None` where it has none.
pub(crate) fn text_of(topic: &str) -> Result<Option<String>> {
    static CATALOG: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    if let Some(known) = CATALOG.get() {
        return Ok(known.get(topic).cloned());
    }
    let catalog = Catalog::embedded()?;
    let all = catalog.topics().filter_map(|topic| Some((topic.name.clone(), topic.schema.clone()?))).collect();
    Ok(CATALOG.get_or_init(|| all).get(topic).cloned())
}
