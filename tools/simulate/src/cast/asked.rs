//! What a definition asks for, reads and starts, from its canonical form: so a new kind of step that asks is found too.
//! Separate from the cast, which gives these things to somebody.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_saga::{Definition, Direction, StepName};
use serde_json::{Map, Value};

/// Where lists that something is done for each item of are found: in what the saga starts with.
const DATA: &str = "saga.data.";

/// A command as its definition writes it.
pub(super) struct Asked {
    pub(super) topic: String,
    pub(super) command: String,
    pub(super) fields: BTreeSet<String>,
    /// Without an item.
    pub(super) step: StepName,
    pub(super) direction: Direction,
    pub(super) undoes: Option<String>,
    /// The field of the start's data whose items it is done for.
    pub(super) list: Option<String>,
}

/// Every command of a definition to a participant; those between sagas are not among them.
pub(super) fn commands(definition: &Definition) -> Vec<Asked> {
    let mut found = Vec::new();
    walk(&canonical(definition), None, &mut found);
    found
}

/// The fields of the start's data that something is done for each item of.
pub(super) fn lists(definition: &Definition) -> BTreeSet<String> {
    let mut lists = BTreeSet::new();
    let mut note = |fields: &Map<String, Value>| lists.extend(list_of(fields));
    each_object(&canonical(definition), &mut note);
    lists
}

/// Names of the definitions whose sagas it starts.
pub(super) fn starts(definition: &Definition) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut note = |fields: &Map<String, Value>| {
        let sub_saga = fields.get("sub_saga").and_then(Value::as_object);
        names.extend(sub_saga.and_then(|sub_saga| text(sub_saga, "start")).map(str::to_owned));
    };
    each_object(&canonical(definition), &mut note);
    names
}

/// Topic, type and fields of the events that it publishes itself.
pub(super) fn emissions(definition: &Definition) -> Vec<(String, String, BTreeSet<String>)> {
    let mut found = Vec::new();
    let mut note = |fields: &Map<String, Value>| {
        let Some(emit) = fields.get("emit").and_then(Value::as_object) else { return };
        if let (Some(topic), Some(event)) = (text(emit, "topic"), text(emit, "event")) {
            found.push((topic.to_owned(), event.to_owned(), keys(emit).unwrap_or_default()));
        }
    };
    each_object(&canonical(definition), &mut note);
    found
}

/// The fields of each topic's members, as answers have them and commands ask for them.
pub(super) type Members = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn canonical(definition: &Definition) -> Value {
    serde_json::from_str(definition.to_canonical_json()).unwrap_or_default()
}

fn each_object(value: &Value, note: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_object(item, note)),
        Value::Object(fields) => {
            note(fields);
            fields.values().for_each(|field| each_object(field, note));
        }
        _ => {}
    }
}

fn list_of(fields: &Map<String, Value>) -> Option<String> {
    let list = text(fields.get("for_each")?.as_object()?, "in")?;
    list.strip_prefix(DATA).map(str::to_owned)
}

fn walk(value: &Value, list: Option<&str>, found: &mut Vec<Asked>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, list, found)),
        Value::Object(fields) => {
            let own = asked(fields, list);
            let rollback = fields.get("on_rollback").and_then(Value::as_object);
            if let Some(undo) = rollback.and_then(|rollback| compensation(rollback, fields, own.as_ref())) {
                found.push(undo);
            }
            found.extend(own);
            let inner = list_of(fields);
            let list = inner.as_deref().or(list);
            fields.iter().filter(|(name, _)| *name != "on_rollback").for_each(|(_, field)| walk(field, list, found));
        }
        _ => {}
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}

fn keys(fields: &Map<String, Value>) -> Option<BTreeSet<String>> {
    Some(fields.get("with")?.as_object()?.keys().cloned().collect())
}

fn step_of(fields: &Map<String, Value>) -> StepName {
    let name = fields.get("name").cloned();
    name.and_then(|name| serde_json::from_value(name).ok()).unwrap_or_else(StepName::start)
}

fn asked(fields: &Map<String, Value>, list: Option<&str>) -> Option<Asked> {
    Some(Asked {
        topic: text(fields, "ask")?.to_owned(),
        command: text(fields, "to")?.to_owned(),
        fields: keys(fields).unwrap_or_default(),
        step: step_of(fields),
        direction: Direction::Forward,
        undoes: None,
        list: list.map(str::to_owned),
    })
}

fn compensation(rollback: &Map<String, Value>, step: &Map<String, Value>, own: Option<&Asked>) -> Option<Asked> {
    let command = text(rollback, "compensate")?.to_owned();
    let topic = text(rollback, "to").or(own.map(|own| own.topic.as_str()))?.to_owned();
    let fields = keys(rollback).or_else(|| own.map(|own| own.fields.clone())).unwrap_or_default();
    Some(Asked {
        topic,
        command,
        fields,
        step: step_of(step),
        direction: Direction::Compensate,
        undoes: own.map(|own| own.command.clone()),
        list: own.and_then(|own| own.list.clone()),
    })
}
