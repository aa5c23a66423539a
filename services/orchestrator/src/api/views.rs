//! What callers read and send, as JSON. Separate from the tables, which may change while these may not.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A saga in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct SagaSummary {
    /// UUIDv5 of definition and key.
    pub id: Uuid,
    /// The definition's name.
    pub definition: String,
    /// The definition it is under: the one it started with, unless somebody moved it.
    pub definition_hash: String,
    /// Whether it only observes: it asks nobody, and is not steered from here.
    pub is_observed: bool,
    /// The business key.
    pub key: String,
    /// `advancing`, `rolling_back`, `paused`, `stuck`, `completed`, `rolled_back`, `abandoned` or `refused`.
    pub status: String,
    /// Why it is rolling back, stuck, or ended as it did.
    pub reason: Option<String>,
    /// The flow it belongs to.
    pub correlation_id: Uuid,
    /// What it can be found by, as its definition says.
    pub search: BTreeMap<String, String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
    /// When it ended, if it has.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A page of sagas, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SagaPage {
    /// The sagas.
    pub sagas: Vec<SagaSummary>,
    /// Give it as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
}

/// A saga with all that is known about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Saga {
    /// What lists show.
    #[serde(flatten)]
    pub summary: SagaSummary,
    /// The steps under way.
    pub steps: Vec<String>,
    /// Those among them that wait for their turn at a participant with limits.
    pub waits: Vec<Wait>,
    /// What it was started with; absent once it has ended.
    pub data: Option<Value>,
    /// Its journal, oldest first.
    pub timeline: Vec<Entry>,
    /// Whether its journal is older than journals are kept here; the topic `saga.events` may have it.
    pub journal_dropped: bool,
    /// Give it as `after` for the rest of the timeline; absent at its end.
    pub next: Option<i64>,
}

/// A step that waits for its turn.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Wait {
    /// The step.
    pub step: String,
    /// The participant: the topic of its commands.
    pub participant: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many of the saga's lane have their turn before it.
    pub before: i64,
}

/// One entry of a saga's journal.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Entry {
    /// Its place, from 1.
    pub seq: i64,
    /// What: `StepRequested`, `RollbackStarted`, …
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The event or command that caused it.
    pub caused_by: Option<Uuid>,
    /// The caller that caused it.
    pub user_id: Option<String>,
    /// Where the causing message was read: `topic/partition/offset`.
    pub input: Option<String>,
    /// The entry's own fields.
    pub data: Value,
}

/// Which sagas to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only these statuses, with commas.
    pub status: Option<String>,
    /// Only this definition, by name.
    pub definition: Option<String>,
    /// Only those under the definition with this hash.
    pub definition_hash: Option<String>,
    /// Only this key.
    pub key: Option<String>,
    /// Only those with all these search attributes: a JSON object of texts, as in `{"customer":"c-3"}`.
    #[serde(rename = "where")]
    pub attributes: Option<String>,
    /// Only those started at or after this time (RFC 3339).
    pub since: Option<DateTime<Utc>>,
    /// Only those started before this time (RFC 3339).
    pub until: Option<DateTime<Utc>>,
    /// How many, 1 to 500; 50 if not said.
    pub limit: Option<i64>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// Which part of a timeline to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ShowQuery {
    /// Only entries after this place.
    pub after: Option<i64>,
    /// How many entries, 1 to 1000; 1000 if not said.
    pub limit: Option<i64>,
}

/// How long to wait for what a command leads to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Seconds, up to 20; 5 if not said. With 0 the answer comes as soon as the command is on its topic.
    pub wait: Option<f64>,
}

/// A saga to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartRequest {
    /// The definition's name.
    pub definition: String,
    /// The business key: one saga per definition and key.
    pub key: String,
    /// What becomes `saga.data`, a JSON object.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub data: serde_json::Map<String, Value>,
}

/// Why somebody changes a saga.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ActRequest {
    /// For people; journaled.
    pub reason: Option<String>,
}

/// Which definition a saga is to go on under.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MigrateRequest {
    /// That definition's hash.
    pub to: String,
    /// For people; journaled.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Where sagas are to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MigrationQuery {
    /// Hash of the definition that they are to go on under.
    pub to: String,
    /// How many, 1 to 500; 50 if not said.
    pub limit: Option<i64>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// Whether live sagas can go on under another definition, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MigrationPage {
    /// The sagas.
    pub sagas: Vec<MigrationCheck>,
    /// Give it as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
}

/// Whether a saga can go on under another definition.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MigrationCheck {
    /// What lists show.
    #[serde(flatten)]
    pub summary: SagaSummary,
    /// What stands against it; empty if it can move.
    pub obstacles: Vec<String>,
}

/// A signal.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SignalRequest {
    /// For people; journaled.
    pub reason: Option<String>,
    /// What it says, any JSON; becomes the waiting step's result.
    pub data: Value,
}

/// What a command led to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcome {
    /// The saga.
    pub saga_id: Uuid,
    /// The command's own id, which the journal entries that it caused name; absent if none was needed.
    pub command_id: Option<Uuid>,
    /// The saga's status by now; absent if it has not started yet.
    pub status: Option<String>,
    /// What the command led to at once; empty if nothing was seen yet.
    pub entries: Vec<Entry>,
}

/// Everybody whom sagas ask.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participants {
    /// By the topics of their commands.
    pub participants: Vec<Participant>,
}

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participant {
    /// The topic of its commands.
    pub topic: String,
    /// Its circuit breaker: `closed`, `open` (clocks of what it was asked stand still) or `half_open` (the same, but now
    /// and then one overdue attempt is let through as a probe).
    pub breaker: String,
    /// Since when it is open; absent while it is closed.
    pub since: Option<DateTime<Utc>>,
    /// The person who opened it; absent when silence did.
    pub by: Option<String>,
    /// What they said about it.
    pub reason: Option<String>,
    /// Most commands that wait for its answer at once, over all lanes; absent where no definition limits it.
    pub in_flight_max: Option<u32>,
    /// Most commands in a time, as in `50/s`; absent where no definition limits it.
    pub rate_max: Option<String>,
    /// The consumer group of its commands; of several, the one furthest behind. Absent as long as none has read any.
    pub group: Option<String>,
    /// Commands that it has not read yet.
    pub backlog: Option<i64>,
    /// Commands that it has read in a second, of late.
    pub read_per_second: Option<f64>,
    /// How long until it has caught up, seconds, if it reads on, and commands come, as of late. Absent where it does not
    /// gain on them.
    pub eta_seconds: Option<f64>,
}

/// A definition in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DefinitionSummary {
    /// Names this very content.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// Whether new sagas start on it.
    pub startable: bool,
    /// When it was first loaded.
    pub first_used_at: DateTime<Utc>,
}

/// A definition with its content.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DefinitionBody {
    /// What lists show.
    #[serde(flatten)]
    pub summary: DefinitionSummary,
    /// The definition.
    pub body: Value,
}
