//! Which topics there are, and what each carries: `schemas/topics.json` and the records it lists, put together into
//! one envelope schema per topic. Separate from the codec, because tools push, check and document schemas without any
//! bytes.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::payload::member_name;

/// Every file under `schemas/`, by its path there.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/schema_files.rs"));
const TOPICS_FILE: &str = "topics.json";
const TEMPLATE_FILE: &str = "envelope.template.json";

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Facts.
    Events,
    /// Wishes.
    Commands,
    /// Messages of other topics, on their way to their home lane.
    Inputs,
    /// Saga definitions.
    Definitions,
}

/// What the broker does with old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// Deletes them once their time is over.
    Delete,
    /// Keeps the newest of each key.
    Compact,
}

/// A topic and what it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// What its records are keyed by, for people.
    pub key: String,
    /// What it is for.
    pub kind: Kind,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// How long records are kept; `None` is for ever.
    pub retention_days: Option<u32>,
    /// Names of the union's members, in union order.
    pub members: Vec<String>,
    /// Files of the members below `schemas/`, in union order.
    pub files: Vec<String>,
    /// The envelope schema; `None` where the topic has none of its own.
    pub schema: Option<String>,
}

impl Topic {
    /// The registry's name for its values' schema (TopicNameStrategy).
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}-value", self.name)
    }

    /// Where messages that nobody could deal with go.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        format!("{}.dlq", self.name)
    }

    /// Whether this type and version is one of its members.
    #[must_use]
    pub fn carries(&self, event_type: &str, event_version: i32) -> bool {
        self.members.contains(&member_name(event_type, event_version))
    }
}

/// Why the schema files are no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file could not be read.
    #[error("the schema file `{file}` cannot be read")]
    File {
        /// Which one.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that is needed is not there.
    #[error("the schema file `{file}` is missing")]
    Missing {
        /// Which one.
        file: String,
    },
    /// A file is no JSON, or not of the form it must have.
    #[error("the schema file `{file}` is not as it must be")]
    Form {
        /// Which one.
        file: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A record does not have the name its file has.
    #[error("the schema file `{file}` defines `{found}`")]
    Name {
        /// Which file.
        file: String,
        /// What it defines.
        found: String,
    },
    /// A topic has two members of one name.
    #[error("the topic `{topic}` lists `{member}` twice")]
    Twice {
        /// The topic.
        topic: String,
        /// The member.
        member: String,
    },
}

/// All topics; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicEntry {
    key: String,
    kind: Kind,
    cleanup: Cleanup,
    retention_days: Option<u32>,
    members: Vec<String>,
}

#[derive(Deserialize)]
struct RecordHead {
    name: String,
}

impl Catalog {
    /// The catalog this program was built with.
    ///
    /// # Errors
    /// [`CatalogError`] if the files were wrong when it was built, which a test rules out.
    pub fn embedded() -> Result<Self, CatalogError> {
        Self::assemble(&FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// The catalog in a folder with the layout of `schemas/`.
    ///
    /// # Errors
    /// [`CatalogError`] naming the file that cannot be read or is wrong.
    pub fn load(folder: &Path) -> Result<Self, CatalogError> {
        let mut files = BTreeMap::new();
        read_folder(folder, "", &mut files)?;
        Self::assemble(&files)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// The topic of that name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    fn assemble(files: &BTreeMap<String, String>) -> Result<Self, CatalogError> {
        let entries: BTreeMap<String, TopicEntry> = parsed(files, TOPICS_FILE)?;
        let template = minified(text_of(files, TEMPLATE_FILE)?);
        let mut topics = BTreeMap::new();
        for (name, entry) in entries {
            let topic = assembled(files, &template, name, entry)?;
            topics.insert(topic.name.clone(), topic);
        }
        Ok(Self { topics })
    }
}

fn assembled(
    files: &BTreeMap<String, String>,
    template: &str,
    name: String,
    entry: TopicEntry,
) -> Result<Topic, CatalogError> {
    let mut members = Vec::new();
    let mut records = Vec::new();
    let mut seen = HashSet::new();
    for file in &entry.members {
        let head: RecordHead = parsed(files, file)?;
        let expected = file.rsplit('/').next().and_then(|name| name.strip_suffix(".avsc"));
        if expected != Some(head.name.as_str()) {
            return Err(CatalogError::Name { file: file.clone(), found: head.name });
        }
        if !seen.insert(head.name.clone()) {
            return Err(CatalogError::Twice { topic: name, member: head.name });
        }
        records.push(minified(text_of(files, file)?));
        members.push(head.name);
    }
    let namespace = format!("backstitch.{}", name.replace(['.', '-'], "_"));
    let schema = (!records.is_empty()).then(|| {
        let union = format!("[{}]", records.join(","));
        template.replace("$NAMESPACE", &namespace).replace("\"$MEMBERS\"", &union)
    });
    let TopicEntry { key, kind, cleanup, retention_days, members: files } = entry;
    Ok(Topic { name, key, kind, cleanup, retention_days, members, files, schema })
}

fn text_of<'f>(files: &'f BTreeMap<String, String>, file: &str) -> Result<&'f str, CatalogError> {
    files.get(file).map(String::as_str).ok_or_else(|| CatalogError::Missing { file: file.to_owned() })
}

fn parsed<T: for<'de> Deserialize<'de>>(files: &BTreeMap<String, String>, file: &str) -> Result<T, CatalogError> {
    serde_json::from_str(text_of(files, file)?).map_err(|source| CatalogError::Form { file: file.to_owned(), source })
}

/// The text without the whitespace between its tokens. Fields keep their order, so that one catalog has one text.
fn minified(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |character: &char| {
        let inside = quoted;
        if escaped {
            escaped = false;
        } else if quoted && *character == '\\' {
            escaped = true;
        } else if *character == '"' {
            quoted = !quoted;
        }
        inside || !character.is_whitespace()
    };
    text.chars().filter(keep).collect()
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> Result<(), CatalogError> {
    let failed = |file: &str, source| CatalogError::File { file: file.to_owned(), source };
    let shown = folder.display().to_string();
    for entry in fs::read_dir(folder).map_err(|source| failed(&shown, source))? {
        let path = entry.map_err(|source| failed(&shown, source))?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), files)?;
        } else if path.extension().is_some_and(|extension| extension == "avsc" || extension == "json") {
            let text = fs::read_to_string(&path).map_err(|source| failed(&name, source))?;
            files.insert(name, text);
        }
    }
    Ok(())
}
