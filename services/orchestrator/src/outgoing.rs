//! From the engine's words to records: commands, emitted events, the journal. Separate, because it is the only place
//! that knows both the engine's types and the wire's.

use std::collections::{BTreeMap, HashMap};

use backstitch_contracts::{EncodeError, Encoder, Envelope, Payload, headers, member_name, saga};
use backstitch_messaging::{LaneId, Record};
use backstitch_saga::{Command, Definition, Direction, Effect, Emission, Event, Report};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// What the orchestrator calls itself on messages.
const SOURCE: &str = "orchestrator";

/// Encodes what the orchestrator publishes.
pub struct Outgoing {
    encoders: HashMap<String, Encoder>,
}

/// Why something the engine decided cannot be put on the wire.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// No schema is known for the topic.
    #[error("no schema was loaded for the topic `{topic}`")]
    NoSchema {
        /// The topic.
        topic: String,
    },
    /// The payload does not fit the topic's schema.
    #[error("`{event_type}` does not fit the schema of `{topic}`")]
    Encode {
        /// The topic.
        topic: String,
        /// What was to be sent.
        event_type: String,
        /// What does not fit.
        #[source]
        source: EncodeError,
    },
    /// A journal entry has no record form.
    #[error("a journal entry has no record form")]
    Journal(#[from] backstitch_saga::JournalError),
}

/// The saga that something is published for.
pub struct About<'a> {
    /// Its id.
    pub saga_id: Uuid,
    /// Its flow.
    pub correlation_id: Uuid,
    /// On whose behalf it runs.
    pub user_id: Option<&'a str>,
    /// The time of the decision.
    pub now: DateTime<Utc>,
}

/// A journal entry and where it stands.
pub struct Entry<'a> {
    /// Its saga's definition.
    pub definition: &'a Definition,
    /// The saga's lane.
    pub lane: LaneId,
    /// Its number, from 1.
    pub seq: i64,
    /// The name of what was decided.
    pub kind: &'static str,
    /// What was decided: [`Event::to_json`].
    pub json: &'a str,
    /// The event or command that caused it.
    pub caused_by: Option<Uuid>,
    /// `topic/partition/offset` of the input.
    pub input: Option<&'a str>,
}

impl Outgoing {
    /// With an encoder for each topic that is written.
    #[must_use]
    pub fn new(encoders: HashMap<String, Encoder>) -> Self {
        Self { encoders }
    }

    /// The record of an effect.
    ///
    /// # Errors
    /// [`OutgoingError`].
    pub fn effect(&self, effect: Effect, about: &About<'_>) -> Result<Record, OutgoingError> {
        match effect {
            Effect::Send(command) => self.command(command, about),
            Effect::Emit(emission) => self.emission(emission, about),
            Effect::Report(report) => self.report(&report, about),
        }
    }

    fn command(&self, command: Command, about: &About<'_>) -> Result<Record, OutgoingError> {
        let envelope = Envelope {
            event_id: command.id.as_uuid(),
            event_type: command.command_type,
            event_version: 1,
            aggregate_id: command.key.clone(),
            aggregate_type: "Saga".to_owned(),
            occurred_at: about.now,
            correlation_id: about.correlation_id,
            causation_id: command.causation_id,
            user_id: about.user_id.map(str::to_owned),
            metadata: source(),
            data: command.payload,
        };
        let direction = match command.direction {
            Direction::Forward => headers::FORWARD,
            Direction::Compensate => headers::COMPENSATE,
        };
        let mut record = self.record(&command.topic, &command.key, &envelope)?;
        record = record
            .header(headers::SAGA_ID, command.saga.to_string())
            .header(headers::SAGA_STEP, command.step.as_str())
            .header(headers::SAGA_DIRECTION, direction)
            .header(headers::SAGA_TRY, command.try_number.to_string());
        if let Some(undoes) = command.undoes {
            record = record.header(headers::SAGA_UNDOES, undoes.to_string());
        }
        if let Some(deadline) = DateTime::from_timestamp_micros(command.deadline.as_micros()) {
            record = record.header(headers::SAGA_DEADLINE, deadline.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
        Ok(record)
    }

    fn emission(&self, emission: Emission, about: &About<'_>) -> Result<Record, OutgoingError> {
        let envelope = Envelope {
            event_id: emission.event_id,
            event_type: emission.event_type,
            event_version: emission.event_version,
            aggregate_id: emission.key.clone(),
            aggregate_type: "Saga".to_owned(),
            occurred_at: about.now,
            correlation_id: about.correlation_id,
            causation_id: emission.causation_id,
            user_id: about.user_id.map(str::to_owned),
            metadata: source(),
            data: emission.payload,
        };
        let record = self.record(&emission.topic, &emission.key, &envelope)?;
        Ok(record
            .header(headers::SAGA_ID, emission.saga.to_string())
            .header(headers::SAGA_STEP, emission.step.as_str()))
    }

    fn report(&self, report: &Report, about: &About<'_>) -> Result<Record, OutgoingError> {
        let parent = &report.parent;
        let result = (!report.result.is_null()).then(|| report.result.to_string());
        let envelope = Envelope {
            event_id: report.id,
            event_type: saga::ReportSubSaga::EVENT_TYPE.to_owned(),
            event_version: saga::ReportSubSaga::EVENT_VERSION,
            aggregate_id: parent.key.clone(),
            aggregate_type: "Saga".to_owned(),
            occurred_at: about.now,
            correlation_id: about.correlation_id,
            causation_id: None,
            user_id: about.user_id.map(str::to_owned),
            metadata: source(),
            data: serde_json::json!({
                "saga_id": parent.saga,
                "key": parent.key,
                "step": parent.step,
                "answer": report.answer.event_type(),
                "reason": report.reason,
                "result": result,
                "sub_saga_id": report.saga,
                "sub_saga_definition": report.definition,
                "sub_saga_key": report.key,
            }),
        };
        Ok(self.record(saga::COMMANDS, &parent.key, &envelope)?.header(headers::SAGA_ID, report.saga.to_string()))
    }

    /// The record of a journal entry.
    ///
    /// # Errors
    /// [`OutgoingError`].
    pub fn journal(&self, entry: &Entry<'_>, about: &About<'_>) -> Result<Record, OutgoingError> {
        let mut metadata = source();
        metadata.insert("definition".into(), entry.definition.name().to_owned());
        metadata.insert("seq".into(), entry.seq.to_string());
        metadata.insert("lane".into(), entry.lane.to_string());
        if let Some(input) = entry.input {
            metadata.insert("input".into(), input.to_owned());
        }
        let envelope = Envelope {
            event_id: Uuid::new_v5(&about.saga_id, &entry.seq.to_be_bytes()),
            event_type: entry.kind.to_owned(),
            event_version: 1,
            aggregate_id: about.saga_id.to_string(),
            aggregate_type: "Saga".to_owned(),
            occurred_at: about.now,
            correlation_id: about.correlation_id,
            causation_id: entry.caused_by,
            user_id: about.user_id.map(str::to_owned),
            metadata,
            data: Event::record_of(entry.json)?,
        };
        Ok(self
            .record(saga::EVENTS, &about.saga_id.to_string(), &envelope)?
            .header(headers::SAGA_ID, about.saga_id.to_string()))
    }

    /// The record of a definition, for the compacted topic.
    ///
    /// # Errors
    /// [`OutgoingError`].
    pub fn definition(&self, definition: &Definition, now: DateTime<Utc>) -> Result<Record, OutgoingError> {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, definition.hash().as_bytes());
        let envelope = Envelope {
            event_id: id,
            event_type: saga::SagaDefinition::EVENT_TYPE.to_owned(),
            event_version: saga::SagaDefinition::EVENT_VERSION,
            aggregate_id: definition.hash().to_owned(),
            aggregate_type: "SagaDefinition".to_owned(),
            occurred_at: now,
            correlation_id: id,
            causation_id: None,
            user_id: None,
            metadata: source(),
            data: serde_json::json!({
                "hash": definition.hash(),
                "name": definition.name(),
                "version": definition.version(),
                "body": definition.to_canonical_json(),
            }),
        };
        self.record(saga::DEFINITIONS, definition.hash(), &envelope)
    }

    fn record(&self, topic: &str, key: &str, envelope: &Envelope) -> Result<Record, OutgoingError> {
        let encoder = self.encoders.get(topic).ok_or_else(|| OutgoingError::NoSchema { topic: topic.to_owned() })?;
        let value = encoder.encode(envelope).map_err(|source| OutgoingError::Encode {
            topic: topic.to_owned(),
            event_type: envelope.event_type.clone(),
            source,
        })?;
        Ok(Record::new(topic, key, value)
            .header(headers::CE_SPECVERSION, "1.0")
            .header(headers::CE_ID, envelope.event_id.to_string())
            .header(headers::CE_TYPE, member_name(&envelope.event_type, envelope.event_version))
            .header(headers::CE_SOURCE, SOURCE)
            .header(headers::CE_TIME, envelope.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)))
    }
}

fn source() -> BTreeMap<String, String> {
    BTreeMap::from([("source".to_owned(), SOURCE.to_owned())])
}

#[cfg(test)]
mod tests;
