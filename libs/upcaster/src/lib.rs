//! Old versions of events as the newest: a chain of pure steps over JSON, one version each. A crate of its own, so that
//! topics and event stores read what was written long ago by the same chain, and neither knows the other.
//!
//! The metadata tells what happened: `upcasted_from` (the version that was written), `upcasted_at`, and `data_loss`
//! (what the old version did not say and the new one wants to know).

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

/// Metadata: the version that was written.
pub const UPCASTED_FROM: &str = "upcasted_from";
/// Metadata: when it was read as the newest, RFC 3339.
pub const UPCASTED_AT: &str = "upcasted_at";
/// Metadata: what the written version did not say.
pub const DATA_LOSS: &str = "data_loss";

/// One step of a chain: from one version of one type of event to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The type of event.
    pub event_type: &'static str,
    /// The version it reads; it writes the one after.
    pub from: i32,
    /// From the old data, and the id of the aggregate it is about, to the new.
    pub upcast: fn(Map<String, Value>, &str) -> Map<String, Value>,
    /// What the old version did not say; empty if nothing is lost.
    pub lost: &'static str,
}

/// A chain of steps.
#[derive(Debug, Clone, Default)]
pub struct Upcasters {
    steps: Cow<'static, [Step]>,
}

/// An event's data after its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcast {
    /// The version of `data` now.
    pub event_version: i32,
    /// The data.
    pub data: Value,
    /// The version that was written; `None` if it was the newest.
    pub from: Option<i32>,
    /// What the written version did not say, in the order of the steps.
    pub losses: Vec<&'static str>,
}

/// Why a chain does not reach the newest version of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A version cannot be read any more.
    #[error("`{event_type}` version {from} has no upcaster to version {next}: write one, or old events are unreadable")]
    Missing {
        /// The type of event.
        event_type: String,
        /// The version that stays behind.
        from: i32,
        /// The version it cannot reach.
        next: i32,
    },
    /// Two steps read one version.
    #[error("`{event_type}` version {from} has two upcasters: which one is meant?")]
    Twice {
        /// The type of event.
        event_type: String,
        /// The version.
        from: i32,
    },
    /// A step leads beyond the newest version.
    #[error("an upcaster reads `{event_type}` version {from}, which nothing newer follows")]
    Beyond {
        /// The type of event.
        event_type: String,
        /// The version.
        from: i32,
    },
}

impl Upcasters {
    /// The chain of these steps, in any order.
    #[must_use]
    pub const fn of(steps: &'static [Step]) -> Self {
        Self { steps: Cow::Borrowed(steps) }
    }

    /// Whether this version of an event is turned into a newer one.
    #[must_use]
    pub fn takes(&self, event_type: &str, event_version: i32) -> bool {
        self.steps.iter().any(|step| step.event_type == event_type && step.from == event_version)
    }

    /// The same chain with one more step.
    #[must_use]
    pub fn and(mut self, step: Step) -> Self {
        self.steps.to_mut().push(step);
        self
    }

    /// Brings `data` to the newest version, a step at a time. Data that is no object is left as it is.
    #[must_use]
    pub fn upcast(&self, event_type: &str, event_version: i32, data: Value, aggregate_id: &str) -> Upcast {
        let mut upcast = Upcast { event_version, data, from: None, losses: Vec::new() };
        while let Some(step) = self.step(event_type, upcast.event_version) {
            let Value::Object(fields) = &mut upcast.data else { break };
            upcast.data = Value::Object((step.upcast)(std::mem::take(fields), aggregate_id));
            upcast.event_version += 1;
            upcast.from = Some(event_version);
            if !step.lost.is_empty() {
                upcast.losses.push(step.lost);
            }
        }
        upcast
    }

    /// Checks the chain against the newest version of each type: every older version, from 1, must reach it.
    ///
    /// # Errors
    /// [`ChainError`]: the first gap, doubled step, or step beyond the newest.
    pub fn check<'a>(&self, newest: impl IntoIterator<Item = (&'a str, i32)>) -> Result<(), ChainError> {
        let mut seen = BTreeSet::new();
        for step in self.steps.iter() {
            if !seen.insert((step.event_type, step.from)) {
                return Err(ChainError::Twice { event_type: step.event_type.to_owned(), from: step.from });
            }
        }
        for (event_type, newest) in newest {
            if let Some(from) = (1..newest).find(|from| self.step(event_type, *from).is_none()) {
                return Err(ChainError::Missing { event_type: event_type.to_owned(), from, next: from + 1 });
            }
            if let Some((_, from)) = seen.iter().find(|(of, from)| *of == event_type && *from >= newest) {
                return Err(ChainError::Beyond { event_type: event_type.to_owned(), from: *from });
            }
        }
        Ok(())
    }

    fn step(&self, event_type: &str, from: i32) -> Option<&Step> {
        self.steps.iter().find(|step| step.from == from && step.event_type == event_type)
    }
}

impl Upcast {
    /// What the metadata is to say about it; nothing if the event was in the newest version.
    #[must_use]
    pub fn notes(&self, at: DateTime<Utc>) -> Vec<(&'static str, String)> {
        let Some(from) = self.from else { return Vec::new() };
        vec![
            (UPCASTED_FROM, from.to_string()),
            (UPCASTED_AT, at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            (DATA_LOSS, self.losses.join(", ")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(mut data: Map<String, Value>, key: &str, value: Value) -> Map<String, Value> {
        data.insert(key.to_owned(), value);
        data
    }

    const LIT: Step = Step {
        event_type: "Lit",
        from: 1,
        upcast: |data, _| with(data, "colour", json!("white")),
        lost: "colour (read as white)",
    };
    const NAMED: Step = Step { event_type: "Lit", from: 2, upcast: |data, id| with(data, "lamp", json!(id)), lost: "" };
    const CHAIN: &[Step] = &[LIT, NAMED];

    #[test]
    fn each_version_is_read_as_the_newest_and_what_was_lost_is_told() {
        let chain = Upcasters::of(CHAIN);
        let first = chain.upcast("Lit", 1, json!({"watts": 5}), "lamp-7");
        assert_eq!(first.data, json!({"watts": 5, "colour": "white", "lamp": "lamp-7"}));
        assert_eq!((first.event_version, first.from, first.losses), (3, Some(1), vec!["colour (read as white)"]));
        let newest = chain.upcast("Lit", 3, json!({"watts": 5}), "lamp-7");
        assert_eq!((newest.event_version, newest.from, newest.data), (3, None, json!({"watts": 5})));
    }

    #[test]
    fn events_without_a_chain_and_data_that_is_no_object_are_left_alone() {
        let chain = Upcasters::of(CHAIN);
        assert_eq!(chain.upcast("Put out", 1, json!({}), "").from, None);
        let odd = chain.upcast("Lit", 1, json!([1]), "");
        assert_eq!((odd.event_version, odd.from, odd.data), (1, None, json!([1])));
    }

    #[test]
    fn a_version_without_an_upcaster_is_found() {
        let chain = Upcasters::of(CHAIN);
        assert_eq!(chain.check([("Lit", 3), ("Put out", 1)]), Ok(()));
        let missing = ChainError::Missing { event_type: "Lit".to_owned(), from: 3, next: 4 };
        assert_eq!(chain.check([("Lit", 4)]), Err(missing));
        let beyond = ChainError::Beyond { event_type: "Lit".to_owned(), from: 2 };
        assert_eq!(chain.check([("Lit", 2)]), Err(beyond));
        let twice = ChainError::Twice { event_type: "Lit".to_owned(), from: 1 };
        assert_eq!(chain.and(LIT).check([("Lit", 3)]), Err(twice));
    }
}
