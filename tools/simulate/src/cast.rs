//! Who takes part in a run: the definitions that ship, a participant for every topic that they ask, and a schema for
//! every topic that they read or write. Made once and shared by all runs, since making it costs more than a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context as _, Result, anyhow};
use backstitch_contracts::{Catalog, Decoder, Encoder};
use backstitch_orchestrator::definitions::Definitions;
use backstitch_orchestrator::outgoing::Outgoing;
use backstitch_participant::Settings;
use backstitch_saga::{Definition, Direction, StepName};
use serde_json::{Map, Value, json};

use crate::schema;

/// A definition with data to run it on.
pub(crate) struct Role {
    pub(crate) definition: Arc<Definition>,
    key: String,
    start: Value,
    samples: Value,
    /// Forward commands, by step.
    asks: BTreeMap<StepName, String>,
}

/// What one command means to its participant.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// The forward command that it undoes.
    pub(crate) undoes: Option<&'static str>,
    pub(crate) done: Answer,
    pub(crate) refused: Option<Answer>,
    pub(crate) ask_again: Option<Answer>,
    /// What takes it back by itself.
    pub(crate) undone: Option<Answer>,
}

/// An event that a participant may publish.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) event: String,
    data: Value,
    placeholder: String,
}

impl Answer {
    /// Its data, about the flow of this key.
    pub(crate) fn about(&self, key: &str) -> Value {
        renamed(&self.data, &self.placeholder, key)
    }
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
    /// The forward command of a step.
    pub(crate) fn command_of(&self, step: &StepName) -> Option<&str> {
        self.asks.get(step).map(String::as_str)
    }

    /// The step that sends a forward command.
    pub(crate) fn step_of(&self, command: &str) -> Option<&StepName> {
        self.asks.iter().find(|(_, asked)| *asked == command).map(|(step, _)| step)
    }

    /// What a saga of this key starts with.
    pub(crate) fn start_data(&self, key: &str) -> Value {
        renamed(&self.start, &self.key, key)
    }

    /// What a waiting step of it waits for.
    pub(crate) fn arrival(&self, step: &StepName, key: &str) -> Value {
        let said = renamed(&self.samples[step.as_str()]["arrival"], &self.key, key);
        merged(scalars(&self.start_data(key)), &said)
    }
}

/// All strings that are the sample's key are this one's.
fn renamed(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) if text == from => json!(to),
        Value::Array(items) => items.iter().map(|item| renamed(item, from, to)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), renamed(field, from, to))).collect(),
        other => other.clone(),
    }
}

fn scalars(value: &Value) -> Map<String, Value> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter(|(_, field)| !field.is_array() && !field.is_object()).map(|(n, f)| (n.clone(), f.clone())).collect()
}

fn merged(mut fields: Map<String, Value>, said: &Value) -> Value {
    fields.extend(said.as_object().cloned().unwrap_or_default());
    Value::Object(fields)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas")
}

/// Of so many a participant with limits answers at once, over all lanes.
const IN_FLIGHT_MAX: u32 = 2;

/// Kinds of steps that the players' books cannot follow yet.
const NOT_YET: [&str; 2] = ["for_each:", "sub_saga:"];

/// Names of all definitions that ship, with their folders.
pub(crate) fn names() -> Result<Vec<(PathBuf, String)>> {
    let mut names = Vec::new();
    for folder in [folder(), folder().join("examples")] {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                if NOT_YET.iter().any(|kind| text.contains(kind)) {
                    continue;
                }
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                names.push((folder.clone(), stem.unwrap_or_default()));
            }
        }
    }
    names.sort();
    Ok(names)
}

impl Cast {
    /// The cast for those of the definitions whose bit is set; the same one for all runs that ask for it.
    pub(crate) fn of(mask: usize) -> Result<Arc<Self>> {
        static KNOWN: OnceLock<Mutex<BTreeMap<usize, Arc<Cast>>>> = OnceLock::new();
        let mut known = crate::world::lock(KNOWN.get_or_init(Mutex::default));
        if let Some(cast) = known.get(&mask) {
            return Ok(cast.clone());
        }
        let all = names()?;
        let chosen = all.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0).map(|(_, name)| name);
        let cast = Arc::new(Self::make(chosen, mask & (1 << all.len()) != 0)?);
        known.insert(mask, cast.clone());
        Ok(cast)
    }

    fn make<'a>(chosen: impl Iterator<Item = &'a (PathBuf, String)>, limited: bool) -> Result<Self> {
        let (mut definitions, mut drafts) = (Vec::new(), Vec::new());
        for (folder, name) in chosen {
            let definition = backstitch_saga_yaml::load_file(&folder.join(format!("{name}.yaml")))?;
            let definition = if limited { with_limits(&definition)? } else { definition };
            let file = folder.join("samples").join(format!("{name}.json"));
            let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            drafts.push((definition.name().to_owned(), serde_json::from_str::<Value>(&text)?));
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

    /// Whether some command takes this one back.
    pub(crate) fn can_be_undone(&self, command: &str) -> bool {
        self.parts.iter().flat_map(|part| part.deeds.values()).any(|deed| deed.undoes == Some(command))
    }
}

/// The same where no participant is asked for much at once.
fn with_limits(definition: &Definition) -> Result<Definition> {
    let mut text: Value = serde_json::from_str(definition.to_canonical_json())?;
    let limits = |topic: &&str| ((*topic).to_owned(), json!({ "in_flight_max": IN_FLIGHT_MAX, "rate_max": "20/m" }));
    text["participants"] = definition.command_topics().iter().map(limits).collect();
    Ok(Definition::from_canonical_json(&text.to_string())?)
}

fn role(definition: Arc<Definition>, sample: &Value) -> Role {
    let start = sample["start"].clone();
    let trigger = definition.start_events().next();
    let found = trigger.and_then(|(topic, event)| definition.starts_with(topic, event, &start));
    let given = sample["key"].as_str().unwrap_or("key-1").to_owned();
    let key = found.map_or(given, |found| found.key);
    let forward = commands(&definition).into_iter().filter(|asked| asked.direction == Direction::Forward);
    let asks = forward.map(|asked| (asked.step, asked.command)).collect();
    Role { definition, key, start, samples: sample["answers"].clone(), asks }
}

/// A command as its definition writes it.
struct Asked {
    topic: String,
    command: String,
    fields: BTreeSet<String>,
    step: StepName,
    direction: Direction,
    undoes: Option<String>,
}

/// Every command of a definition, from its canonical form: so a new kind of step that asks is found too.
fn commands(definition: &Definition) -> Vec<Asked> {
    let mut found = Vec::new();
    let text: Value = serde_json::from_str(definition.to_canonical_json()).unwrap_or_default();
    walk(&text, &mut found);
    found
}

fn walk(value: &Value, found: &mut Vec<Asked>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            let own = asked(fields);
            let rollback = fields.get("on_rollback").and_then(Value::as_object);
            if let Some(undo) = rollback.and_then(|rollback| compensation(rollback, fields, own.as_ref())) {
                found.push(undo);
            }
            found.extend(own);
            fields.iter().filter(|(name, _)| *name != "on_rollback").for_each(|(_, field)| walk(field, found));
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

fn asked(fields: &Map<String, Value>) -> Option<Asked> {
    Some(Asked {
        topic: text(fields, "ask")?.to_owned(),
        command: text(fields, "to")?.to_owned(),
        fields: keys(fields).unwrap_or_default(),
        step: step_of(fields),
        direction: Direction::Forward,
        undoes: None,
    })
}

fn compensation(rollback: &Map<String, Value>, step: &Map<String, Value>, own: Option<&Asked>) -> Option<Asked> {
    let command = text(rollback, "compensate")?.to_owned();
    let topic = text(rollback, "to").or(own.map(|own| own.topic.as_str()))?.to_owned();
    let fields = keys(rollback).or_else(|| own.map(|own| own.fields.clone())).unwrap_or_default();
    let undoes = own.map(|own| own.command.clone());
    Some(Asked { topic, command, fields, step: step_of(step), direction: Direction::Compensate, undoes })
}

/// Names live as long as the process, as the cast does.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut names = crate::world::lock(&NAMES);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

fn answers(role: &Role, asked: &Asked) -> Option<(String, Deed)> {
    let expected = role.definition.expected_answers(&asked.step, asked.direction)?;
    let samples = &role.samples[asked.step.as_str()];
    let answer = |events: &[String], sample: &str| {
        let said = if asked.direction == Direction::Forward { samples[sample].clone() } else { Value::Null };
        let data = merged(scalars(&role.start), &said);
        events.first().map(|event| Answer { event: event.clone(), data, placeholder: role.key.clone() })
    };
    let deed = Deed {
        undoes: asked.undoes.as_deref().map(kept),
        done: answer(&expected.done, "done")?,
        refused: answer(&expected.refused, "refused"),
        ask_again: answer(&expected.ask_again, "ask_again"),
        undone: answer(&expected.undone, "undone").filter(|_| asked.direction == Direction::Forward),
    };
    Some((expected.topic, deed))
}

/// For each topic, the fields of each of its members.
fn members(roles: &[Role]) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut topics: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
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
        for asked in commands(&role.definition) {
            if let Some((topic, deed)) = answers(role, &asked) {
                let all = [Some(&deed.done), deed.refused.as_ref(), deed.ask_again.as_ref(), deed.undone.as_ref()];
                all.into_iter().flatten().for_each(|answer| add(&topic, &answer.event, named(&answer.data)));
            }
            add(&asked.topic, &asked.command, asked.fields);
        }
        let text: Value = serde_json::from_str(role.definition.to_canonical_json()).unwrap_or_default();
        emissions(&text, &mut add);
    }
    topics
}

fn emissions(value: &Value, add: &mut impl FnMut(&str, &str, BTreeSet<String>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| emissions(item, add)),
        Value::Object(fields) => {
            let emit = fields.get("emit").and_then(Value::as_object);
            if let Some((topic, event)) = emit.and_then(|emit| Some((text(emit, "topic")?, text(emit, "event")?))) {
                add(topic, event, emit.and_then(keys).unwrap_or_default());
            }
            fields.values().for_each(|field| emissions(field, add));
        }
        _ => {}
    }
}

fn parts(roles: &[Role], topics: &BTreeMap<String, String>) -> Result<Vec<Arc<Part>>> {
    let mut deeds: BTreeMap<(String, String), BTreeMap<String, Deed>> = BTreeMap::new();
    for role in roles {
        for asked in commands(&role.definition) {
            let Some((answers_on, mut deed)) = answers(role, &asked) else { continue };
            let schema = topics.get(&answers_on).with_context(|| answers_on.clone())?;
            let fit = |answer: &mut Answer| -> Result<()> {
                answer.data = schema::filled(schema, &answer.event, &answer.data)?;
                Ok(())
            };
            fit(&mut deed.done)?;
            [&mut deed.refused, &mut deed.ask_again, &mut deed.undone].into_iter().flatten().try_for_each(fit)?;
            deeds.entry((asked.topic, answers_on)).or_default().insert(asked.command, deed);
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
