//! The JSON Schema that editors use: it is what the code says, takes every document that loads, and no slip.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::path::{Path, PathBuf};

use backstitch_saga::definition::json_schema;
use jsonschema::Validator;
use serde_json::Value;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn validator() -> Validator {
    jsonschema::validator_for(&json_schema()).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_published_schema_is_what_the_code_says() {
    let path = workspace().join("docs/definition.schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(published, text, "docs/definition.schema.json is out of date; write it with UPDATE_DOCS=1 cargo test");
}

#[test]
fn every_document_that_loads_is_valid_for_an_editor() {
    let mut documents = Vec::new();
    for folder in ["sagas", "sagas/examples"] {
        for entry in std::fs::read_dir(workspace().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                documents.push((path.display().to_string(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    let manual = std::fs::read_to_string(workspace().join("docs/definitions.md")).unwrap();
    let written = manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    documents.extend(written.map(|text| ("docs/definitions.md".to_owned(), text.to_owned())));
    assert!(documents.len() >= 7);
    let validator = validator();
    for (name, text) in documents {
        let problems: Vec<_> = validator.iter_errors(&yaml(&text)).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
}

#[test]
fn an_editor_sees_the_slips_that_loading_would_find() {
    let good = "saga: tea\nversion: 1\nsteps:\n  - name: boil\n    ask: kitchen.commands\n    to: Boil\n    done_on: Boiled\n    on_rollback: nothing\n    timeout: 30s\n";
    let validator = validator();
    assert!(validator.is_valid(&yaml(good)));
    for (right, wrong) in [
        ("done_on: Boiled", "done_no: Boiled"),
        ("done_on: Boiled", "done_on: { event: Boiled, wen: x }"),
        ("on_rollback: nothing", "on_rollback: nothin"),
        ("on_rollback: nothing", "on_rollback: { compensate: Cool, done: Cooled }"),
        ("timeout: 30s", "timeout: 30"),
        ("timeout: 30s", "timeout: 30 seconds"),
        ("version: 1", "version: one"),
        ("saga: tea\n", ""),
    ] {
        let text = good.replace(right, wrong);
        assert_ne!(text, good, "{right}");
        assert!(!validator.is_valid(&yaml(&text)), "{wrong}");
    }
}
