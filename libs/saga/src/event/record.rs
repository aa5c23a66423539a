//! Journal entries as flat records, the way `saga.events` carries them.
//!
//! Separate because Avro has no free-form JSON: fields that hold any shape travel as JSON text, everything else as it
//! is; times read as people write them. The schemas in `schemas/saga/` describe these records.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Event;

/// Every kind of journal entry, in the order of the topic's union.
pub const KINDS: [&str; 36] = [
    "SagaStarted",
    "StartRefused",
    "CancelledBeforeStart",
    "StepRequested",
    "StepSucceeded",
    "StepRefused",
    "StepTimedOut",
    "RetryScheduled",
    "StepSkipped",
    "DelayStarted",
    "WaitStarted",
    "WaitEnded",
    "EarlyKept",
    "EventEmitted",
    "StepUndone",
    "RollbackStarted",
    "CompensationRequested",
    "CompensationSucceeded",
    "CompensationRefused",
    "CompensationSkipped",
    "SagaPaused",
    "SagaResumed",
    "ReplyKept",
    "SagaStuck",
    "SagaUnstuck",
    "CancelRefused",
    "SagaDeadlinePassed",
    "SagaCompleted",
    "SagaRolledBack",
    "SagaAbandoned",
    "ChoiceMade",
    "FanOutStarted",
    "ParentTold",
    "DefinitionMoved",
    "MoveRefused",
    "StepQueued",
];

/// Fields that hold any shape of JSON, and whether nothing is written as null rather than as the text `null`.
const FREE_FORM: [(&str, bool); 9] = [
    ("data", false),
    ("items", false),
    ("payload", false),
    ("cause", false),
    ("reply", false),
    ("result", true),
    ("started_by", true),
    ("by", true),
    ("parent", true),
];

/// Fields that hold a time: RFC 3339 text in a record, microseconds in the engine.
const TIMES: [&str; 3] = ["at", "deadline", "until"];

/// Why a record is no journal entry.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The entry could not be written as JSON.
    #[error("the journal entry cannot be written")]
    Write(#[source] serde_json::Error),
    /// The record does not have the fields of its kind.
    #[error("the record of kind `{kind}` cannot be read")]
    Read {
        /// The kind that was claimed.
        kind: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// A field as it stands in a record.
fn field_of(name: &str, json: &str) -> Result<Value, JournalError> {
    if FREE_FORM.iter().any(|(free, nullable)| *free == name && !(*nullable && json == "null")) {
        return Ok(Value::String(json.to_owned()));
    }
    let value: Value = serde_json::from_str(json).map_err(JournalError::Write)?;
    let micros = value.as_i64().filter(|_| TIMES.contains(&name));
    let time = micros.and_then(DateTime::from_timestamp_micros);
    Ok(time.map_or(value, |time| Value::String(time.to_rfc3339_opts(SecondsFormat::Micros, true))))
}

impl Event {
    /// The entry as a flat record, without its kind. `at` is among the fields.
    ///
    /// # Errors
    /// [`JournalError::Write`] when the entry cannot be written as JSON.
    pub fn to_record(&self) -> Result<Value, JournalError> {
        Self::record_of(&self.to_json()?)
    }

    /// The entry as JSON, its kind among the fields.
    ///
    /// # Errors
    /// [`JournalError::Write`] when it cannot be written.
    pub fn to_json(&self) -> Result<String, JournalError> {
        serde_json::to_string(self).map_err(JournalError::Write)
    }

    /// The flat record of what [`Self::to_json`] has written: fields of any shape are taken over as they are written there.
    ///
    /// # Errors
    /// [`JournalError::Write`] when it is no JSON object.
    pub fn record_of(json: &str) -> Result<Value, JournalError> {
        let written: BTreeMap<&str, &RawValue> = serde_json::from_str(json).map_err(JournalError::Write)?;
        let fields = written.into_iter().filter(|(name, _)| *name != "kind");
        fields.map(|(name, value)| Ok((name.to_owned(), field_of(name, value.get())?))).collect()
    }

    /// The entry that a flat record of this kind holds.
    ///
    /// # Errors
    /// [`JournalError::Read`] when a field is missing or wrong.
    pub fn from_record(kind: &str, record: &Value) -> Result<Self, JournalError> {
        let error = |source| JournalError::Read { kind: kind.to_owned(), source };
        let mut fields: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
        for (name, _) in FREE_FORM {
            if let Some(Value::String(text)) = fields.get(name) {
                let value = serde_json::from_str(text).map_err(error)?;
                fields.insert(name.to_owned(), value);
            }
        }
        for name in TIMES {
            let text = fields.get(name).and_then(Value::as_str);
            let time = text.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            if let Some(time) = time {
                fields.insert(name.to_owned(), Value::from(time.timestamp_micros()));
            }
        }
        fields.insert("kind".to_owned(), Value::from(kind));
        serde_json::from_value(Value::Object(fields)).map_err(error)
    }
}
