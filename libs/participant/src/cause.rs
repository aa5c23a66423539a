//! What an event is written because of, and the ids that follow from it. Separate, because a repeated decision must
//! arrive at the same ids, here and in another language.

use backstitch_event_store::{StreamId, StreamVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a compensation undoes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undoes {
    /// The forward command's id, where the sender names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Uuid>,
    /// The forward command's type.
    pub(crate) command: String,
}

impl Undoes {
    /// Whether it is about the forward command `id` of type `command`.
    pub(crate) fn names(&self, id: Uuid, command: &str) -> bool {
        self.id.map_or(self.command == command, |undone| undone == id)
    }
}

/// What is being decided.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) id: Uuid,
    pub(crate) correlation_id: Uuid,
    pub(crate) user_id: Option<String>,
    pub(crate) kind: CauseKind,
}

#[derive(Debug, Clone)]
pub(crate) enum CauseKind {
    Command {
        name: String,
        attempt: u32,
        undoes: Option<Undoes>,
    },
    Event,
    /// A timer, or the outcome of a call that no command waits for: no message is behind it.
    Itself,
}

impl Cause {
    /// Of a timer of `stream` at `version`: the same if decided again, another one when it fires next.
    pub(crate) fn timer(stream: &StreamId, name: &str, version: StreamVersion, correlation_id: Uuid) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{stream}/{name}/{version}").as_bytes());
        Self { id, correlation_id, user_id: None, kind: CauseKind::Itself }
    }

    /// Of the outcome of a call that no command waits for.
    pub(crate) fn outcome(call: &str, correlation_id: Uuid) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, call.as_bytes());
        Self { id, correlation_id, user_id: None, kind: CauseKind::Itself }
    }

    /// Which try it is, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        match &self.kind {
            CauseKind::Command { attempt, .. } => *attempt,
            CauseKind::Event | CauseKind::Itself => 1,
        }
    }

    /// The `causation_id` of its events: what a timer does has none.
    pub(crate) fn causation_id(&self) -> Option<Uuid> {
        match &self.kind {
            CauseKind::Command { .. } | CauseKind::Event => Some(self.id),
            CauseKind::Itself => None,
        }
    }

    /// The id of its event number `index`. Names the consumer, since an event may have several.
    pub(crate) fn event_id(&self, consumer: &str, index: u32) -> Uuid {
        Uuid::new_v5(&self.id, format!("{consumer}/{}/{index}", self.attempt()).as_bytes())
    }
}

/// The id of a call, which is its idempotency key: command and try, and a number from the second call on. Fit for URLs.
pub(crate) fn call_id(command: Uuid, attempt: u32, call: u32) -> String {
    if call == 0 { format!("{command}-{attempt}") } else { format!("{command}-{attempt}-{call}") }
}

/// The id of a call that no command waits for, by its place among the events of its cause.
pub(crate) fn later_call_id(cause: &Cause, index: u32) -> String {
    format!("{}-{}-after-{index}", cause.id, cause.attempt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(attempt: u32) -> Cause {
        let kind = CauseKind::Command { name: "Do".into(), attempt, undoes: None };
        Cause { id: Uuid::from_u128(7), correlation_id: Uuid::nil(), user_id: None, kind }
    }

    #[test]
    fn derived_ids_never_change_between_releases() {
        assert_eq!(cause(1).event_id("till", 0).to_string(), "ba3ba9fe-311b-5576-9afa-a207b4a2536e");
        assert_eq!(call_id(Uuid::from_u128(7), 2, 0), "00000000-0000-0000-0000-000000000007-2");
        assert_eq!(call_id(Uuid::from_u128(7), 2, 1), "00000000-0000-0000-0000-000000000007-2-1");
    }

    #[test]
    fn another_try_another_consumer_and_another_index_give_other_ids() {
        let ids = [
            cause(1).event_id("till", 0),
            cause(1).event_id("till", 1),
            cause(2).event_id("till", 0),
            cause(1).event_id("other", 0),
        ];
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }
}
