//! The ids of sagas, steps and commands, and how they are derived.
//!
//! Separate because this is the wire contract that makes repetition harmless: whoever computes an id again, here,
//! after a crash or in another language, gets the same one.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Root of every derived id: UUIDv5 of the DNS namespace and this name.
const ROOT_NAME: &[u8] = b"backstitch";

/// The name under which a trigger's own compensation is known: step 0 of every saga.
pub const START_STEP: &str = "start";

/// The name under which a saga is stuck whose `result` cannot be computed.
pub(crate) const RESULT_STEP: &str = "result";

/// Between a step's name and the item it is done for; no written name holds it.
const ITEM_MARK: char = '/';

/// Identifies a saga: UUIDv5 of its definition's name and its key, so that starting twice is starting once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SagaId(Uuid);

impl SagaId {
    /// The id of the saga of `definition` (its name, whatever its version) with `key`.
    pub fn derive(definition: &str, key: &str) -> Self {
        let root = Uuid::new_v5(&Uuid::NAMESPACE_DNS, ROOT_NAME);
        let namespace = Uuid::new_v5(&root, definition.as_bytes());
        Self(Uuid::new_v5(&namespace, key.as_bytes()))
    }

    /// An id read from elsewhere.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a command; the same for every attempt of one step in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(Uuid);

impl CommandId {
    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// An id read from elsewhere.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a command does a step or takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The step itself.
    Forward,
    /// Its compensation.
    Compensate,
}

impl Direction {
    /// The word used in headers and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Compensate => "compensate",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The command id of `step` in `saga`; `item` is set for one item of a step that fans out over a list.
pub fn command_id(saga: SagaId, step: &str, item: Option<u32>, direction: Direction) -> CommandId {
    let name = match item {
        Some(item) => format!("{step}/{item}/{direction}"),
        None => format!("{step}/{direction}"),
    };
    CommandId(Uuid::new_v5(&saga.0, name.as_bytes()))
}

/// The id of the event that `step` of `saga` publishes.
pub fn emitted_event_id(saga: SagaId, step: &str) -> Uuid {
    Uuid::new_v5(&saga.0, format!("{step}/emit").as_bytes())
}

/// The name of a step, unique in its definition; of a step that is done for each item of a list, with the item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepName(Arc<str>);

impl StepName {
    /// Step 0: what happened before the saga and is undone last.
    pub fn start() -> Self {
        Self::from(START_STEP)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The step's name in the definition: without the item.
    pub fn base(&self) -> &str {
        self.0.split_once(ITEM_MARK).map_or(&self.0, |(base, _)| base)
    }

    /// The item it is done for, from 0, if the step is one of a `for_each`.
    pub fn item(&self) -> Option<u32> {
        self.0.split_once(ITEM_MARK)?.1.parse().ok()
    }

    /// The same step for one item: `ship` for the item 2 is `ship/2`, and its command's id is derived from just that.
    #[must_use]
    pub fn of_item(&self, item: u32) -> Self {
        Self(Arc::from(format!("{}{ITEM_MARK}{item}", self.base())))
    }

    /// How expressions spell it: `process-payment` is `steps.process_payment`.
    pub fn identifier(&self) -> String {
        self.base().replace('-', "_")
    }
}

impl From<&str> for StepName {
    fn from(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl Borrow<str> for StepName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for StepName {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_twice_is_starting_once() {
        assert_eq!(SagaId::derive("order-fulfilment", "42"), SagaId::derive("order-fulfilment", "42"));
        assert_ne!(SagaId::derive("order-fulfilment", "42"), SagaId::derive("refund", "42"));
        assert_ne!(SagaId::derive("order-fulfilment", "42"), SagaId::derive("order-fulfilment", "43"));
    }

    #[test]
    fn derived_ids_never_change_between_releases() {
        let saga = SagaId::derive("order-fulfilment", "42");
        let command = command_id(saga, "reserve-inventory", None, Direction::Forward);
        assert_eq!(saga.to_string(), "30be67bb-1974-5714-9adb-f730094f4e0b");
        assert_eq!(command.to_string(), "3cb936f6-feea-597b-884c-22b6a83761ee");
    }

    #[test]
    fn every_direction_and_item_has_its_own_id() {
        let saga = SagaId::derive("order-fulfilment", "42");
        let ids = [
            command_id(saga, "ship", None, Direction::Forward),
            command_id(saga, "ship", None, Direction::Compensate),
            command_id(saga, "ship", Some(0), Direction::Forward),
            command_id(saga, "ship", Some(1), Direction::Forward),
        ];
        assert_eq!(ids[3], command_id(saga, StepName::from("ship").of_item(1).as_str(), None, Direction::Forward));
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
