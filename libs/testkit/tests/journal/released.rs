//! Journals, states and definitions of earlier releases are read for ever. They are on record in
//! `tests/journal/released/<release>.json`; `RECORD_JOURNALS=1` puts this release's there where there is none.
//!
//! Separate because these files are never edited: whoever makes one of these tests fail loses somebody's sagas.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use backstitch_saga::{Definition, Event, State, evolve};
use backstitch_testkit::Story;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stories::stories;

/// What a release left behind.
#[derive(Deserialize, Serialize)]
struct Release {
    /// Canonical text of each definition, by hash.
    definitions: BTreeMap<String, String>,
    sagas: Vec<Recorded>,
}

/// A saga as a release stored and published it.
#[derive(Deserialize, Serialize)]
struct Recorded {
    state: Value,
    /// Entries as stored.
    journal: Vec<Value>,
    /// Kinds and records as published.
    records: Vec<(String, Value)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/released")
}

fn releases() -> Vec<Release> {
    let this = folder().join(format!("{}.json", env!("CARGO_PKG_VERSION")));
    if std::env::var_os("RECORD_JOURNALS").is_some() && !this.exists() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&this, serde_json::to_string_pretty(&record(&stories())).unwrap() + "\n").unwrap();
    }
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let releases: Vec<Release> =
        files.map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()).collect();
    assert!(!releases.is_empty());
    releases
}

fn record(stories: &[Story]) -> Release {
    let definitions = stories.iter().map(Story::definition);
    let definitions =
        definitions.map(|definition| (definition.hash().to_owned(), definition.to_canonical_json().to_owned()));
    let sagas = stories.iter().map(|story| Recorded {
        state: serde_json::to_value(story.state()).unwrap(),
        journal: story.journal().iter().map(|event| serde_json::to_value(event).unwrap()).collect(),
        records: story.journal().iter().map(|event| (event.kind().to_owned(), event.to_record().unwrap())).collect(),
    });
    Release { definitions: definitions.collect(), sagas: sagas.collect() }
}

#[test]
fn what_a_release_stored_about_a_saga_is_read_and_means_the_same() {
    for saga in releases().iter().flat_map(|release| &release.sagas) {
        let state: State = serde_json::from_value(saga.state.clone()).unwrap();
        let stored = saga.journal.iter().map(|event| serde_json::from_value::<Event>(event.clone()).unwrap());
        assert_eq!(stored.fold(State::NotStarted, |state, event| evolve(state, &event)), state);
        let published = saga.records.iter().map(|(kind, record)| Event::from_record(kind, record).unwrap());
        assert_eq!(published.fold(State::NotStarted, |state, event| evolve(state, &event)), state);
    }
}

#[test]
fn a_definition_that_a_release_stored_keeps_its_hash() {
    for (hash, text) in releases().iter().flat_map(|release| &release.definitions) {
        let definition = Definition::from_canonical_json(text).unwrap();
        assert_eq!(definition.hash(), hash, "{text}");
        assert_eq!(definition.to_canonical_json(), text);
    }
}
