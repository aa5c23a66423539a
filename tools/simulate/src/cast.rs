//! Who takes part in a run: the definitions that ship, a participant for every topic that they ask, and a schema for
//! every topic that they read or write. Made once and shared by all runs, since making it costs more than a run.

mod asked;
mod deeds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context as _, Result, anyhow};
use backstitch_contracts::{Catalog, Decoder, Encoder};
use backstitch_orchestrator::definitions::Definitions;
use backstitch_orchestrator::outgoing::Outgoing;
use backstitch_participant::Settings;
use backstitch_saga::{Definition, Direction, StepName, sub_saga};
use serde_json::{Value, json};

use crate::schema;
use asked::Members;
pub(crate) use deeds::{Answer, Deed};
use deeds::{Items, Lists, merged, renamed, scalars};

/// A definition with data to run it on.
pub(crate) struct Role {
    pub(crate) definition: Arc<Definition>,
    key: String,
    start: Value,
    lists: Lists,
    samples: Value,
    /// Forward commands, by step.
    asks: BTreeMap<StepName, String>,
}

/// A participant: the topic that it is asked on, and what it does when asked.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) deeds: BTreeMap<String, Deed>,
    pub(crate) settings: Arc<Settings>,
}

/// Everybody.
pub(crate) struct Cast {
    pub(crate) roles: Vec<Role>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) encoders: BTreeMap<String, Encoder>,
    pub(crate) parts: Vec<Arc<Part>>,
}

impl Role {
    /// The forward command of a step, whichever item it is done for.
    pub(crate) fn command_of(&self, step: &StepName) -> Option<&str> {
        self.asks.get(step.base()).map(String::as_str)
    }

    /// The step that sends a forward command.
    pub(crate) fn step_of(&self, command: &str) -> Option<&StepName> {
        self.asks.iter().find(|(_, asked)| *asked == command).map(|(step, _)| step)
    }

    /// What a saga of this key starts with, and so many items in each of its lists.
    pub(crate) fn start_data(&self, key: &str, items: usize) -> Value {
        let mut data = renamed(&self.start, &self.key, key);
        for (name, list) in &self.lists {
            if let Some(samples) = data[name].as_array() {
                data[name] = list.stretched(samples, items);
            }
        }
        data
    }

    /// What a waiting step of it waits for.
    pub(crate) fn arrival(&self, step: &StepName, key: &str) -> Value {
        let said = renamed(&self.samples[step.as_str()]["arrival"], &self.key, key);
        merged(scalars(&renamed(&self.start, &self.key, key)), &said)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas")
}

/// Of so many a participant with limits answers at once, over all lanes.
const IN_FLIGHT_MAX: u32 = 2;

/// What the shop's orders run on.
const SHOP: [&str; 2] = ["order-fulfilment", OBSERVED];
/// What only observes asks nobody, so no player has a part in it.
const OBSERVED: &str = "order-choreographed";

/// A definition that ships: its folder and its name.
type Shipped = (PathBuf, String);

/// Names of all definitions that ship, with their folders.
pub(crate) fn names() -> Result<Vec<Shipped>> {
    let mut names = Vec::new();
    for folder in [folder(), folder().join("examples")] {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                names.extend((stem != OBSERVED).then(|| (folder.clone(), stem)));
            }
        }
    }
    names.sort();
    Ok(names)
}

impl Cast {
    /// The cast for those of the definitions whose bit is set, and for the sub-sagas that these start; the same one for
    /// all runs that ask for it.
    pub(crate) fn of(mask: usize) -> Result<Arc<Self>> {
        static KNOWN: OnceLock<Mutex<BTreeMap<usize, Arc<Cast>>>> = OnceLock::new();
        let mut known = crate::world::lock(KNOWN.get_or_init(Mutex::default));
        if let Some(cast) = known.get(&mask) {
            return Ok(cast.clone());
        }
        let all = names()?;
        let chosen = all.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0).map(|(_, name)| name);
        let cast = Arc::new(Self::make(chosen.collect(), &all, mask & (1 << all.len()) != 0)?);
        known.insert(mask, cast.clone());
        Ok(cast)
    }

    /// The cast for the shop: nobody plays, for the services themselves are there.
    pub(crate) fn of_shop() -> Result<Arc<Self>> {
        static KNOWN: OnceLock<Arc<Cast>> = OnceLock::new();
        if let Some(cast) = KNOWN.get() {
            return Ok(cast.clone());
        }
        let all: Vec<Shipped> = SHOP.iter().map(|name| (folder(), (*name).to_owned())).collect();
        let cast = Arc::new(Self::make(all.iter().collect(), &all, false)?);
        Ok(KNOWN.get_or_init(|| cast).clone())
    }

    fn make<'a>(mut chosen: Vec<&'a Shipped>, all: &'a [Shipped], limited: bool) -> Result<Self> {
        let (mut definitions, mut drafts) = (Vec::new(), Vec::new());
        let mut next = 0;
        while let Some((folder, name)) = chosen.get(next).copied() {
            next += 1;
            let definition = backstitch_saga_yaml::load_file(&folder.join(format!("{name}.yaml")))?;
            let definition = if limited { with_limits(&definition)? } else { definition };
            let file = folder.join("samples").join(format!("{name}.json"));
            let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            drafts.push((definition.name().to_owned(), serde_json::from_str::<Value>(&text)?));
            for started in asked::starts(&definition) {
                let started = all.iter().find(|(_, name)| *name == started).with_context(|| started.clone())?;
                if !chosen.contains(&started) {
                    chosen.push(started);
                }
            }
            definitions.push(definition);
        }
        let definitions = Arc::new(Definitions::of(definitions));
        let role = |(name, sample): (String, Value)| {
            let definition = definitions.deployed(&name).cloned().ok_or_else(|| anyhow!("`{name}` is not deployed"))?;
            Ok(role(definition, &sample))
        };
        let roles = drafts.into_iter().map(role).collect::<Result<Vec<_>>>()?;
        Self::with_schemas(roles, definitions)
    }

    fn with_schemas(roles: Vec<Role>, definitions: Arc<Definitions>) -> Result<Self> {
        let catalog = Catalog::embedded()?;
        let mut topics: BTreeMap<String, String> =
            catalog.topics().filter_map(|topic| Some((topic.name.clone(), topic.schema.clone()?))).collect();
        for (topic, members) in members(&roles) {
            // Examples may use a topic of ours in a way of their own.
            let carried = |text: &String| members.keys().all(|member| text.contains(&format!("\"{member}\"")));
            if !topics.get(&topic).is_some_and(carried) {
                topics.insert(topic, schema::envelope(&members));
            }
        }
        let decoder = Decoder::new(&catalog)?;
        let mut encoders = BTreeMap::new();
        let mut own = std::collections::HashMap::new();
        for ((topic, text), id) in topics.iter().zip(1..) {
            decoder.learn(id, text)?;
            encoders.insert(topic.clone(), Encoder::new(text, id)?);
            own.insert(topic.clone(), Encoder::new(text, id)?);
        }
        let parts = parts(&roles, &topics)?;
        let (outgoing, decoder) = (Arc::new(Outgoing::new(own)), Arc::new(decoder));
        let mut cast = Self { roles, definitions, outgoing, decoder, encoders, parts };
        for role in &mut cast.roles {
            // What starts a saga has to fit its topic; what it brings along is then as every consumer reads it.
            let start = role.definition.start_events().next();
            if let Some(text) = start.and_then(|(topic, event)| Some((topics.get(topic)?, event))) {
                role.start = schema::filled(text.0, text.1, &role.start)?;
            }
        }
        Ok(cast)
    }

    /// Topics that the orchestrator reads, but for its own.
    pub(crate) fn event_topics(&self) -> BTreeSet<String> {
        self.definitions.event_topics()
    }

    /// Under which id the schema of a topic is known.
    pub(crate) fn schema_id(&self, topic: &str) -> Option<u32> {
        self.encoders.keys().zip(1..).find(|(known, _)| *known == topic).map(|(_, id)| id)
    }

    /// The role of a definition, by its place.
    pub(crate) fn role_of(&self, definition: &str) -> Option<usize> {
        self.roles.iter().position(|role| role.definition.name() == definition)
    }

    /// Whether some command takes this one back.
    pub(crate) fn can_be_undone(&self, command: &str) -> bool {
        self.parts.iter().flat_map(|part| part.deeds.values()).any(|deed| deed.undoes == Some(command))
    }
}

/// The same where no participant is asked for much at once.
fn with_limits(definition: &Definition) -> Result<Definition> {
    let mut text: Value = serde_json::from_str(definition.to_canonical_json())?;
    let limits = |topic: &&str| ((*topic).to_owned(), json!({ "in_flight_max": IN_FLIGHT_MAX, "rate_max": "20/m" }));
    let participants = definition.command_topics();
    text["participants"] = participants.iter().filter(|topic| **topic != sub_saga::TOPIC).map(limits).collect();
    Ok(Definition::from_canonical_json(&text.to_string())?)
}

fn role(definition: Arc<Definition>, sample: &Value) -> Role {
    let start = sample["start"].clone();
    let trigger = definition.start_events().next();
    let found = trigger.and_then(|(topic, event)| definition.starts_with(topic, event, &start));
    let given = sample["key"].as_str().unwrap_or("key-1").to_owned();
    let key = found.map_or(given, |found| found.key);
    let forward = asked::commands(&definition).into_iter().filter(|asked| asked.direction == Direction::Forward);
    let asks = forward.map(|asked| (asked.step, asked.command)).collect();
    let lists = asked::lists(&definition);
    let lists = lists.into_iter().map(|name| (name.clone(), Items::of(&start[&name]))).collect();
    Role { definition, key, start, lists, samples: sample["answers"].clone(), asks }
}

/// For each topic, the fields of each of its members.
fn members(roles: &[Role]) -> Members {
    let mut topics = Members::new();
    let mut add = |topic: &str, member: &str, fields: BTreeSet<String>| {
        topics.entry(topic.to_owned()).or_default().entry(member.to_owned()).or_default().extend(fields);
    };
    let named = |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    for role in roles {
        for (topic, event) in role.definition.start_events() {
            add(topic, event, named(&role.start));
        }
        for (step, topic, event) in role.definition.awaited_events() {
            add(topic, event, named(&role.arrival(step, &role.key)));
        }
        for asked in asked::commands(&role.definition) {
            if let Some((topic, mut deed)) = deeds::deed(role, &asked) {
                deed.fields().into_iter().for_each(|(event, fields)| add(&topic, &event, fields));
            }
            add(&asked.topic, &asked.command, asked.fields);
        }
        for (topic, event, fields) in asked::emissions(&role.definition) {
            add(&topic, &event, fields);
        }
    }
    topics
}

fn parts(roles: &[Role], topics: &BTreeMap<String, String>) -> Result<Vec<Arc<Part>>> {
    let mut deeds: BTreeMap<(String, String), BTreeMap<String, Deed>> = BTreeMap::new();
    for role in roles {
        for asked in asked::commands(&role.definition) {
            let Some((answers_on, deed)) = deeds::deed(role, &asked) else { continue };
            let schema = topics.get(&answers_on).with_context(|| answers_on.clone())?;
            deeds.entry((asked.topic, answers_on)).or_default().insert(asked.command, deed.fitting(schema)?);
        }
    }
    let ids: BTreeMap<&String, u32> = topics.keys().zip(1..).collect();
    let part = |((topic, answers_on), deeds): ((String, String), BTreeMap<String, Deed>)| {
        let name = topic.trim_end_matches(".commands").to_owned();
        let schema = topics.get(&answers_on).with_context(|| answers_on.clone())?;
        let encoder = Encoder::new(schema, ids.get(&answers_on).copied().unwrap_or_default())?;
        let settings = Arc::new(Settings::new(&name, answers_on, encoder));
        Ok(Arc::new(Part { name, topic, deeds, settings }))
    };
    deeds.into_iter().map(part).collect()
}
