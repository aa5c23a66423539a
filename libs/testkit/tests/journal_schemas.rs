//! The journal as it is published: every kind of entry fits its schema and comes back as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backstitch_saga::{Event, KINDS};
use backstitch_testkit::{Specimen, Story, cancelled_before_start, started};
use serde_json::{Value, json};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> Specimen {
    Specimen::load(&project().join("sagas/examples"), name)
}

/// Stories in which, taken together, everything happens that can be written in a journal.
fn stories() -> Vec<Story> {
    let order = Specimen::load(&project().join("sagas"), "order-fulfilment");
    let sign_up = || started(&example("subscription-signup"));
    let debited = || started(&example("money-transfer")).done("check-fraud").done("debit");
    let small = json!({ "transfer_id": "t-1", "from": "DE1", "to": "FR2", "amount": 100 });
    vec![
        cancelled_before_start(&example("subscription-signup"), "ann").started_again(),
        started(&order).done("reserve-inventory").asks_for_another_try("process-payment").silence("process-payment"),
        started(&order)
            .done("reserve-inventory")
            .taken_back("reserve-inventory")
            .undone("process-payment")
            .undone("start"),
        started(&order).paused("ann").done("reserve-inventory").resumed("ann"),
        started(&example("money-transfer").starting_with(small)),
        sign_up()
            .arrives("approval")
            .done("create-account")
            .arrives("mail-verified")
            .time_passes(Duration::from_hours(25))
            .time_passes(Duration::from_hours(2)),
        started(&example("travel-booking"))
            .done("hold-flights")
            .done("find-hotel")
            .done("book-room")
            .done("rent-car")
            .done("charge-card"),
        debited().refused("credit").undoing_refused("debit").skipped("ann"),
        debited().refused("credit").undoing_refused("debit").abandoned("ann"),
        debited().done("credit").cancelled("ann").refused("notify").skipped("ann"),
        debited()
            .done("credit")
            .time_passes(Duration::from_mins(1))
            .retried("ann")
            .time_passes(Duration::from_mins(10)),
    ]
}

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
            "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            _ => false,
        },
        _ => false,
    }
}
