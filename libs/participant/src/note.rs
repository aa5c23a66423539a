//! What the library itself writes into a participant's stream, so that all it must know can be rebuilt from there: its
//! own private events, and marks in the metadata of all events.

use std::collections::BTreeMap;

use backstitch_processor::Job;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use backstitch_event_store::StreamId;

use crate::cause::Undoes;
use crate::event::{UnreadableEvent, tag, untag};

const PREFIX: &str = "backstitch.";

/// A private event of the library.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Note<C> {
    /// A compensation came first: the forward command is to be refused.
    CommandTombstoned { undoes: Undoes },
    /// A call was asked for; the command is answered once its outcome is known.
    CallRequested { command: C, call: u32, kind: String },
    /// A compensation waits until the outcome of what it undoes is known.
    CompensationDeferred { command: C },
    /// A command was answered with no event in the own stream.
    CommandAnswered,
    /// An event or a timer had its effect, with no event in the own stream.
    Reacted,
}

impl<C: Serialize + DeserializeOwned> Note<C> {
    /// Its type and data; the type cannot be mistaken for a service's.
    pub(crate) fn untag(&self) -> Result<(String, Value), UnreadableEvent> {
        untag(self).map(|(name, data)| (format!("{PREFIX}{name}"), data))
    }

    /// The note of that type and data; `None` if it is a service's event.
    pub(crate) fn tag(event_type: &str, data: &Value) -> Option<Result<Self, UnreadableEvent>> {
        event_type.strip_prefix(PREFIX).map(|name| tag(name, data.clone()))
    }
}

/// How a command stands after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// Answered for good: done.
    Done,
    /// Answered for good: a definite no.
    Refused,
    /// Answered; a higher try may be asked.
    Retryable,
    /// Not answered yet.
    Pending,
}

/// What an event's metadata says about the command behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandMark {
    /// The command's type.
    pub(crate) name: String,
    /// Which try.
    #[serde(rename = "try")]
    pub(crate) attempt: u32,
    /// The event's number among those of this try.
    pub(crate) index: u32,
    /// How the command stands.
    pub(crate) standing: Standing,
    /// Set on compensations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<Undoes>,
}

/// The metadata of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// The service.
    pub(crate) source: String,
    /// The command behind the event, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<CommandMark>,
    /// What the service says in the envelope's metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What a call's job carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CallTicket {
    pub(crate) stream: StreamId,
    pub(crate) asked_by: AskedBy,
    pub(crate) call: Value,
}

/// Who is told a call's outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AskedBy {
    /// A command, whose answer depends on it.
    Command(CallOfCommand),
    /// The flow.
    Flow { correlation_id: Uuid },
}

/// A command's call: which try's, and which of that try's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct CallOfCommand {
    pub(crate) command_id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) number: u32,
}

impl CallTicket {
    pub(crate) fn of(job: &Job) -> Result<Self, serde_json::Error> {
        Self::deserialize(&job.payload)
    }
}

/// What a timer carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TimerTicket {
    pub(crate) stream: StreamId,
    pub(crate) name: String,
    pub(crate) correlation_id: Uuid,
    pub(crate) timer: Value,
}
