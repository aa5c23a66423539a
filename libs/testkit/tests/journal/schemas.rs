//! Every kind of entry fits its schema and comes back as it was. Separate from older releases' journals: this is about
//! what is written today.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_saga::{Event, KINDS};
use backstitch_testkit::Story;
use serde_json::{Value, json};

use crate::stories::{project, stories};

fn schemas() -> BTreeMap<String, Value> {
    let read = |kind: &str| {
        let path = project().join("schemas/saga").join(format!("{kind}.avsc"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(schema["name"], kind);
        schema
    };
    KINDS.iter().map(|kind| ((*kind).to_owned(), read(kind))).collect()
}

#[test]
fn every_kind_of_entry_fits_its_schema() {
    let schemas = schemas();
    let mut seen = BTreeSet::new();
    for event in stories().iter().flat_map(Story::journal) {
        let record = event.to_record().unwrap();
        fits(&schemas[event.kind()], &record).unwrap_or_else(|why| panic!("{}: {why}\n{record}", event.kind()));
        assert_eq!(&Event::from_record(event.kind(), &record).unwrap(), event);
        seen.insert(event.kind());
    }
    let unseen: Vec<&&str> = KINDS.iter().filter(|kind| !seen.contains(**kind)).collect();
    assert!(unseen.is_empty(), "no story has {unseen:?}");
}

#[test]
fn a_record_without_its_fields_is_refused() {
    let error = Event::from_record("StepTimedOut", &json!({ "at": "2027-01-15T08:00:00Z" })).unwrap_err();
    assert_eq!(error.to_string(), "the record of kind `StepTimedOut` cannot be read");
}

/// Whether a record has exactly the fields of a schema, each of its type.
fn fits(schema: &Value, record: &Value) -> Result<(), String> {
    let fields = schema["fields"].as_array().ok_or("the schema has no fields")?;
    let expected: BTreeSet<&str> = fields.iter().filter_map(|field| field["name"].as_str()).collect();
    let actual: BTreeSet<&str> = record.as_object().ok_or("no record")?.keys().map(String::as_str).collect();
    if expected != actual {
        return Err(format!("the schema has {expected:?} and the record {actual:?}"));
    }
    for field in fields {
        let name = field["name"].as_str().unwrap_or_default();
        if !is_a(&record[name], &field["type"]) {
            return Err(format!("`{name}` is {} and should be {}", record[name], field["type"]));
        }
    }
    Ok(())
}

fn is_a(value: &Value, schema: &Value) -> bool {
    match schema {
        Value::Array(union) => union.iter().any(|member| is_a(value, member)),
        Value::Object(named) if named.get("logicalType").is_some() => {
            value.as_str().is_some_and(|text| text.len() == 27 && text.ends_with('Z'))
        }
        Value::Object(named) if named["type"] == "array" => {
            value.as_array().is_some_and(|items| items.iter().all(|item| is_a(item, &named["items"])))
        }
        Value::String(primitive) => match primitive.as_str() {
            "null" => value.is_null(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            _ => false,
        },
        _ => false,
    }
}
