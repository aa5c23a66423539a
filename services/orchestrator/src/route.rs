//! Which sagas a message is about, and what it is to them. Separate from the lane, which has the sagas.

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_contracts::orders::FLOW;
use backstitch_contracts::saga::{
    self, AbandonSaga, CancelSaga, CancelSubSaga, MigrateSaga, PauseSaga, ReportSubSaga, ResumeSaga, RetrySaga,
    SignalSaga, SkipStep, StartSaga, StartSubSaga,
};
use backstitch_contracts::{Envelope, Payload, headers};
use backstitch_processor::{Message, Rejection};
use backstitch_saga::sub_saga::{COMPLETED, GOES_ON, ROLLED_BACK};
use backstitch_saga::{
    By, Definition, Input, Parent, ParentCancel, Reply, SagaId, Seen, Signal, Start, StartedBy, StepName,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::definitions::Definitions;

/// Longest key of a saga, bytes.
const KEY_BYTES_MAX: usize = 200;
/// Largest `data` of a `StartSaga` or `SignalSaga`, bytes.
const DATA_BYTES_MAX: usize = 64 * 1024;

/// What a message is to one saga.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// It may begin a saga of the deployed definition of this name.
    Begin {
        /// The saga.
        saga_id: Uuid,
        /// The definition's name.
        definition: String,
        /// Its key.
        key: String,
        /// The engine's input: a start, or a cancel that leaves a tombstone.
        input: Input,
    },
    /// It concerns a saga if that is live.
    Continue {
        /// The saga.
        saga_id: Uuid,
        /// The engine's input.
        input: Input,
        /// The step that a person means: nothing happens where the saga is stuck at another by now.
        at_step: Option<String>,
    },
    /// It wants a live saga to go on under another definition.
    Move {
        /// The saga.
        saga_id: Uuid,
        /// That definition's hash.
        to: String,
        /// Who wants it.
        by: By,
    },
}

impl Target {
    /// The saga.
    #[must_use]
    pub fn saga_id(&self) -> Uuid {
        match self {
            Self::Begin { saga_id, .. } | Self::Continue { saga_id, .. } | Self::Move { saga_id, .. } => *saga_id,
        }
    }
}

/// The keys of the sagas that the message may concern: what it starts, what the definitions' key expressions read from it;
/// or else its record key. Each has a home lane, and in each of these the message is decided for the sagas at home there.
#[must_use]
pub fn flow_keys(definitions: &Definitions, message: &Message) -> BTreeSet<String> {
    let envelope = &message.envelope;
    let mut keys = BTreeSet::new();
    if message.topic == saga::COMMANDS {
        keys.extend(envelope.data.get("key").and_then(Value::as_str).map(str::to_owned));
    } else {
        let (topic, event_type, event) = (message.topic.as_str(), envelope.event_type.as_str(), &envelope.data);
        for definition in definitions.all_deployed() {
            keys.extend(definition.start_key(topic, event_type, event));
        }
        for definition in definitions.all().iter() {
            keys.extend(definition.reply_keys(topic, event_type, event));
        }
    }
    if keys.is_empty() {
        keys.extend(message.key_text().map(str::to_owned));
    }
    keys
}

/// What the message is to which sagas; empty when no definition cares for it.
///
/// # Errors
/// [`Rejection`] for a command that cannot be understood.
pub fn targets(definitions: &Definitions, message: &Message) -> Result<Vec<Target>, Rejection> {
    if message.topic == saga::COMMANDS {
        return Ok(vec![command(definitions, message)?]);
    }
    let envelope = &message.envelope;
    let mut targets = Vec::new();
    for definition in definitions.all() {
        // What is observed may begin with any event of its flow: see below.
        if definition.observes().is_some() || !definition.reads(&message.topic, &envelope.event_type) {
            continue;
        }
        let mut keys = definition.reply_keys(&message.topic, &envelope.event_type, &envelope.data);
        keys.extend(message.key_text().map(str::to_owned));
        for key in keys {
            let target = Target::Continue {
                saga_id: definition.saga_id(&key).as_uuid(),
                input: Input::Reply(reply(message)),
                at_step: None,
            };
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    targets.extend(observations(definitions, message)?);
    for definition in definitions.all_deployed().filter(|definition| definition.observes().is_none()) {
        let found = definition.start_of(&message.topic, &envelope.event_type, &envelope.data);
        let found = match found {
            // Others wait for this message: what it would have started is told, and left.
            Err(error) if others_read(definitions, definition.name(), message) => {
                tracing::error!(%error, "an event that should start a saga starts none");
                continue;
            }
            found => found.map_err(Rejection::invalid)?,
        };
        // What is at home in another lane is begun there: the message was passed on to it.
        if let Some(found) = found.filter(|found| !message.elsewhere.contains(&found.key)) {
            check_key(&found.key)?;
            let started_by = StartedBy { topic: message.topic.clone(), event_type: envelope.event_type.clone() };
            let start = start(envelope, found.key.clone(), found.data, Some(started_by));
            targets.push(begin(definition.name(), &found.key, Input::Start(start)));
        }
    }
    Ok(targets)
}

/// An event of a flow that is only observed, for the sagas that observe it.
fn observations(definitions: &Definitions, message: &Message) -> Result<Vec<Target>, Rejection> {
    let envelope = &message.envelope;
    let Some(flow) = envelope.metadata.get(FLOW) else { return Ok(Vec::new()) };
    let (topic, event_type, event) = (message.topic.as_str(), envelope.event_type.as_str(), &envelope.data);
    let mut targets = Vec::new();
    for definition in definitions.all_deployed().filter(|definition| definition.observes() == Some(flow)) {
        let mut keys = definition.reply_keys(topic, event_type, event);
        keys.extend(definition.start_key(topic, event_type, event));
        for key in keys.into_iter().filter(|key| !message.elsewhere.contains(key)) {
            check_key(&key)?;
            let started_by = StartedBy { topic: message.topic.clone(), event_type: envelope.event_type.clone() };
            let start = start(envelope, key.clone(), event.clone().into(), Some(started_by));
            let seen = Input::Seen(Seen { start, event: reply(message) });
            targets.push(begin(definition.name(), &key, seen));
        }
    }
    Ok(targets)
}

fn others_read(definitions: &Definitions, name: &str, message: &Message) -> bool {
    let reads = |other: &Definition| other.reads(&message.topic, &message.envelope.event_type);
    definitions.all().iter().any(|other| other.name() != name && reads(other))
}

/// The same bound as the API's; a longer key fits no index.
fn check_key(key: &str) -> Result<(), Rejection> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    Err(Rejection::invalid(format!("a saga's key should have from 1 to {KEY_BYTES_MAX} bytes, not {}", key.len())))
}

fn begin(definition: &str, key: &str, input: Input) -> Target {
    Target::Begin {
        saga_id: Definitions::saga_id(definition, key),
        definition: definition.to_owned(),
        key: key.to_owned(),
        input,
    }
}

fn start(envelope: &Envelope, key: String, data: Arc<Value>, started_by: Option<StartedBy>) -> Start {
    Start {
        key,
        data,
        started_by,
        event_id: envelope.event_id,
        correlation_id: envelope.correlation_id,
        user_id: envelope.user_id.clone(),
        parent: None,
    }
}

fn reply(message: &Message) -> Reply {
    let envelope = &message.envelope;
    Reply {
        topic: message.topic.clone(),
        event_type: envelope.event_type.clone(),
        event_version: envelope.event_version,
        event_id: envelope.event_id,
        causation_id: envelope.causation_id,
        answers_try: answered_try(message),
        aggregate_id: envelope.aggregate_id.clone(),
        data: envelope.data.clone(),
    }
}

/// Ours say it in the metadata, others may in the header that the command had; silence is fine.
fn answered_try(message: &Message) -> Option<u32> {
    let metadata = message.envelope.metadata.get("try").map(String::as_str);
    metadata.or_else(|| message.delivery.header_text(headers::SAGA_TRY))?.parse().ok()
}

fn command(definitions: &Definitions, message: &Message) -> Result<Target, Rejection> {
    let envelope = &message.envelope;
    let input: fn(By) -> Input = match envelope.event_type.as_str() {
        StartSaga::EVENT_TYPE => return start_saga(definitions, envelope),
        StartSubSaga::EVENT_TYPE => return start_sub_saga(definitions, envelope),
        CancelSubSaga::EVENT_TYPE => return cancel_sub_saga(definitions, envelope),
        ReportSubSaga::EVENT_TYPE => return report_sub_saga(envelope),
        SignalSaga::EVENT_TYPE => return signal(envelope),
        MigrateSaga::EVENT_TYPE => return migrate(envelope),
        CancelSaga::EVENT_TYPE => |by| Input::Cancel { by },
        PauseSaga::EVENT_TYPE => |by| Input::Pause { by },
        ResumeSaga::EVENT_TYPE => |by| Input::Resume { by },
        RetrySaga::EVENT_TYPE => |by| Input::Retry { by },
        SkipStep::EVENT_TYPE => |by| Input::Skip { by },
        AbandonSaga::EVENT_TYPE => |by| Input::Abandon { by },
        other => return Err(Rejection::unknown_command(other)),
    };
    let command: Operation = read(envelope)?;
    let input = input(by(envelope, command.reason));
    match (&input, &command.definition, &command.key) {
        // Named by definition and key, a cancel may come before the start, and then leaves a tombstone.
        (Input::Cancel { .. }, Some(definition), Some(key)) if definitions.deployed(definition).is_some() => {
            check_key(key)?;
            Ok(begin(definition, key, input))
        }
        (_, definition, key) => {
            let saga_id = addressed(command.saga_id, definition.as_deref(), key.as_deref())?;
            Ok(Target::Continue { saga_id, input, at_step: command.step })
        }
    }
}

/// What all commands of a person have in common on the wire.
#[derive(Deserialize)]
struct Operation {
    saga_id: Option<Uuid>,
    definition: Option<String>,
    key: Option<String>,
    step: Option<String>,
    reason: Option<String>,
}

fn start_saga(definitions: &Definitions, envelope: &Envelope) -> Result<Target, Rejection> {
    let command: StartSaga = read(envelope)?;
    check_deployed(definitions, &command.definition)?;
    check_key(&command.key)?;
    let data = json("data", &command.data)?;
    let start = start(envelope, command.key.clone(), data.into(), None);
    Ok(begin(&command.definition, &command.key, Input::Start(start)))
}

fn check_deployed(definitions: &Definitions, name: &str) -> Result<(), Rejection> {
    if definitions.deployed(name).is_some() {
        return Ok(());
    }
    let known: Vec<_> = definitions.all_deployed().map(|definition| definition.name()).collect();
    let detail = format!("no definition `{name}` is deployed; there are: {}", known.join(", "));
    Err(Rejection { reason: "unknown-definition", detail })
}

fn start_sub_saga(definitions: &Definitions, envelope: &Envelope) -> Result<Target, Rejection> {
    let command: StartSubSaga = read(envelope)?;
    check_deployed(definitions, &command.definition)?;
    check_key(&command.key)?;
    let data = json("data", &command.data)?;
    let parent = Parent {
        saga: SagaId::from_uuid(command.parent_id),
        definition: command.parent_definition,
        key: command.parent_key,
        step: StepName::from(command.parent_step.as_str()),
    };
    let start = Start { parent: Some(parent), ..start(envelope, command.key.clone(), data.into(), None) };
    Ok(begin(&command.definition, &command.key, Input::Start(start)))
}

fn cancel_sub_saga(definitions: &Definitions, envelope: &Envelope) -> Result<Target, Rejection> {
    let command: CancelSubSaga = read(envelope)?;
    check_key(&command.key)?;
    let parent = Parent {
        saga: SagaId::from_uuid(command.parent_id),
        definition: command.parent_definition,
        key: command.parent_key,
        step: StepName::from(command.parent_step.as_str()),
    };
    let (key, completed_too, reason) = (command.key, command.completed_too, command.reason);
    let input = Input::CancelByParent(ParentCancel { parent, key: key.clone(), completed_too, reason });
    if definitions.deployed(&command.definition).is_some() {
        return Ok(begin(&command.definition, &key, input));
    }
    let saga_id = Definitions::saga_id(&command.definition, &key);
    Ok(Target::Continue { saga_id, input, at_step: None })
}

/// To the step that waits, what became of its sub-saga is an answer like others.
fn report_sub_saga(envelope: &Envelope) -> Result<Target, Rejection> {
    let report: ReportSubSaga = read(envelope)?;
    if ![COMPLETED, ROLLED_BACK, GOES_ON].contains(&report.answer.as_str()) {
        let detail = format!("`{}` is nothing that a sub-saga says", report.answer);
        return Err(Rejection::invalid(detail));
    }
    let result = report.result.as_deref().map(|result| json("result", result)).transpose()?;
    let data = result.unwrap_or_else(|| serde_json::json!({ "reason": report.reason }));
    let input = Input::Reply(Reply {
        topic: saga::COMMANDS.to_owned(),
        event_type: report.answer,
        event_version: envelope.event_version,
        event_id: envelope.event_id,
        causation_id: None,
        answers_try: None,
        aggregate_id: report.step,
        data,
    });
    Ok(Target::Continue { saga_id: report.saga_id, input, at_step: None })
}

/// Whether a message is a person's own command: participants and sub-sagas carry the user of a flow on.
#[must_use]
pub fn is_a_persons(message: &Message) -> bool {
    let between_sagas = [StartSubSaga::EVENT_TYPE, CancelSubSaga::EVENT_TYPE, ReportSubSaga::EVENT_TYPE];
    message.topic == saga::COMMANDS && !between_sagas.contains(&message.envelope.event_type.as_str())
}

fn signal(envelope: &Envelope) -> Result<Target, Rejection> {
    let command: SignalSaga = read(envelope)?;
    let data = json("data", &command.data)?;
    let saga_id = addressed(command.saga_id, command.definition.as_deref(), command.key.as_deref())?;
    // The record of a signal has no field for it; our API says it beside.
    let why = envelope.metadata.get("reason").cloned();
    let input = Input::Signal(Signal { name: command.signal, data, by: by(envelope, why) });
    Ok(Target::Continue { saga_id, input, at_step: None })
}

fn migrate(envelope: &Envelope) -> Result<Target, Rejection> {
    let command: MigrateSaga = read(envelope)?;
    let saga_id = addressed(command.saga_id, command.definition.as_deref(), command.key.as_deref())?;
    Ok(Target::Move { saga_id, to: command.to_hash, by: by(envelope, command.reason) })
}

fn addressed(saga_id: Option<Uuid>, definition: Option<&str>, key: Option<&str>) -> Result<Uuid, Rejection> {
    match (saga_id, definition, key) {
        (Some(id), _, _) => Ok(id),
        (None, Some(definition), Some(key)) => Ok(Definitions::saga_id(definition, key)),
        _ => Err(Rejection::invalid("the command names no saga: give saga_id, or definition and key")),
    }
}

fn by(envelope: &Envelope, why: Option<String>) -> By {
    let who = envelope.user_id.clone().or_else(|| envelope.metadata.get("source").cloned());
    By { who: who.unwrap_or_else(|| "somebody".to_owned()), why }
}

fn json(field: &str, text: &str) -> Result<Value, Rejection> {
    if text.len() > DATA_BYTES_MAX {
        return Err(Rejection::invalid(format!("`{field}` has {} bytes, more than {DATA_BYTES_MAX}", text.len())));
    }
    serde_json::from_str(text).map_err(|error| Rejection::invalid(format!("`{field}` is no JSON: {error}")))
}

fn read<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, Rejection> {
    T::deserialize(&envelope.data).map_err(|error| Rejection::invalid(format!("{}: {error}", envelope.event_type)))
}

#[cfg(test)]
mod tests;
