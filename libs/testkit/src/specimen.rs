//! A definition together with sample data for it.
//!
//! Separate because expressions need data to work on: a definition alone cannot be run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backstitch_saga::{Definition, Parent, SagaId, StepName, sub_saga};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the kit answers in a participant's place, for one step; for one item of it, if the name says so (`ship/0`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answers {
    pub(crate) done: Value,
    pub(crate) refused: Value,
    pub(crate) ask_again: Value,
    /// What takes the finished step back.
    pub(crate) undone: Value,
    /// The signal or event that a waiting step waits for.
    pub(crate) arrival: Value,
}

/// Sample data of a definition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Samples {
    /// The saga's key where no trigger computes it.
    key: Option<String>,
    start: Value,
    answers: BTreeMap<String, Answers>,
}

/// A definition that can be run in tests.
#[derive(Clone, Debug)]
pub struct Specimen {
    definition: Arc<Definition>,
    samples: Samples,
    parent: Option<Parent>,
}

impl Specimen {
    /// A definition whose expressions need no particular data.
    pub fn of(definition: Definition) -> Self {
        let samples = Samples { start: json!({}), ..Samples::default() };
        Self { definition: Arc::new(definition), samples, parent: None }
    }

    /// The same, started by a step of another saga, which waits for its end and may want it rolled back.
    #[must_use]
    pub fn as_sub_saga(mut self) -> Self {
        let (definition, key) = ("parent".to_owned(), "parent-1".to_owned());
        let saga = SagaId::derive(&definition, &key);
        self.parent = Some(Parent { saga, definition, key, step: StepName::from("child") });
        self
    }

    /// The same where every participant has limits, so that everything waits for its turn.
    ///
    /// # Panics
    /// When the definition cannot be read again from its canonical form.
    #[must_use]
    pub fn limited(mut self) -> Self {
        let mut text: Value = serde_json::from_str(self.definition.to_canonical_json()).unwrap_or_default();
        let limits = |topic: &&str| ((*topic).to_owned(), json!({ "in_flight_max": 1 }));
        let participants = self.definition.command_topics();
        text["participants"] = participants.iter().filter(|topic| **topic != sub_saga::TOPIC).map(limits).collect();
        let limited = Definition::from_canonical_json(&text.to_string());
        self.definition = Arc::new(limited.unwrap_or_else(|error| panic!("{error}")));
        self
    }

    /// The same under another key, where no trigger computes it.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.samples.key = Some(key.to_owned());
        self
    }

    /// The same with other data to start with.
    #[must_use]
    pub fn starting_with(mut self, data: Value) -> Self {
        self.samples.start = data;
        self
    }

    /// Another definition with the same data.
    #[must_use]
    pub fn under(&self, definition: Definition) -> Self {
        Self { definition: Arc::new(definition), ..self.clone() }
    }

    /// The same, with this data in the signal or event that a step waits for.
    #[must_use]
    pub fn bringing(mut self, step: &str, arrival: Value) -> Self {
        self.samples.answers.entry(step.to_owned()).or_default().arrival = arrival;
        self
    }

    /// The same, with this data in the event that says a step was done.
    #[must_use]
    pub fn answering(mut self, step: &str, done: Value) -> Self {
        self.samples.answers.entry(step.to_owned()).or_default().done = done;
        self
    }

    /// The same, with this data in the event that says a step was refused.
    #[must_use]
    pub fn refusing(mut self, step: &str, refused: Value) -> Self {
        self.samples.answers.entry(step.to_owned()).or_default().refused = refused;
        self
    }

    /// The same, with this data in the event that takes a finished step back.
    #[must_use]
    pub fn undoing(mut self, step: &str, undone: Value) -> Self {
        self.samples.answers.entry(step.to_owned()).or_default().undone = undone;
        self
    }

    /// Reads `FOLDER/NAME.yaml` and its samples `FOLDER/samples/NAME.json`.
    ///
    /// # Panics
    /// When either cannot be read, with the reason: a test without its definition has nothing to say.
    pub fn load(folder: &Path, name: &str) -> Self {
        let definition = backstitch_saga_yaml::load_file(&folder.join(format!("{name}.yaml")));
        let definition = definition.unwrap_or_else(|error| panic!("{error}"));
        let path = folder.join("samples").join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let samples = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { definition: Arc::new(definition), samples, parent: None }
    }

    /// Every definition of a folder that drives its sagas, with its samples. What only observes has laws of its own.
    ///
    /// # Panics
    /// When anything cannot be read, or the folder holds no definition.
    pub fn load_all(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = entries.map(|entry| entry.unwrap_or_else(|error| panic!("{error}")).path());
        let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        let mut names: Vec<String> =
            documents.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
        names.sort();
        assert!(!names.is_empty(), "no definition in {}", folder.display());
        let all = names.iter().map(|name| Self::load(folder, name));
        all.filter(|specimen| specimen.definition.observes().is_none()).collect()
    }

    /// The definition.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The data a saga starts with.
    pub fn start_data(&self) -> &Value {
        &self.samples.start
    }

    pub(crate) fn parent(&self) -> Option<&Parent> {
        self.parent.as_ref()
    }

    /// The saga's key: as the first trigger computes it, else as the samples say.
    pub(crate) fn key(&self) -> String {
        let start = self.definition.start_events().next();
        let found = start.and_then(|(topic, event)| self.definition.starts_with(topic, event, &self.samples.start));
        let given = self.samples.key.clone().unwrap_or_else(|| "key-1".to_owned());
        found.map_or(given, |start| start.key)
    }

    pub(crate) fn answers(&self, step: &str) -> Answers {
        let of_item = self.samples.answers.get(step);
        let of_step = || self.samples.answers.get(StepName::from(step).base());
        of_item.or_else(of_step).cloned().unwrap_or_default()
    }
}
