//! What became of each order. Separate from printing, so that `--json` and the live view tell the same story.

use std::collections::BTreeMap;

use backstitch_contracts::orders::Flow;
use backstitch_saga::{Outcome, START_STEP};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::follow::Move;
use crate::kinds::Kind;

/// How the saga of an order ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Reached(Outcome),
    Stuck,
}

/// One order and its saga so far.
pub(crate) struct Story {
    pub(crate) kind: Kind,
    pub(crate) flow: Flow,
    pub(crate) moves: Vec<Move>,
    pub(crate) end: Option<End>,
}

/// All orders of a run.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) stories: BTreeMap<Uuid, Story>,
}

impl Tally {
    pub(crate) fn place(&mut self, order_id: Uuid, kind: Kind, flow: Flow) {
        self.stories.insert(order_id, Story { kind, flow, moves: Vec::new(), end: None });
    }

    /// Takes a move in; answers the story if that ended it.
    pub(crate) fn note(&mut self, step: Move) -> Option<&Story> {
        let story = self.stories.get_mut(&step.order_id)?;
        let end = match step.kind.as_str() {
            "SagaCompleted" => Some(End::Reached(Outcome::Completed)),
            "SagaRolledBack" => Some(End::Reached(Outcome::RolledBack)),
            "SagaAbandoned" => Some(End::Reached(Outcome::Abandoned)),
            "SagaStuck" => Some(End::Stuck),
            _ => None,
        };
        let first = story.end.is_none();
        story.moves.push(step);
        story.end = end.or(story.end);
        (first && story.end.is_some()).then_some(story)
    }

    pub(crate) fn running(&self) -> usize {
        self.stories.values().filter(|story| story.end.is_none()).count()
    }

    pub(crate) fn ended(&self, end: End) -> usize {
        self.stories.values().filter(|story| story.end == Some(end)).count()
    }

    /// Orders that did not end as their kind demands.
    pub(crate) fn astray(&self) -> usize {
        self.stories.values().filter(|story| !story.as_demanded()).count()
    }

    /// What the completed orders cost together, minor units.
    pub(crate) fn revenue(&self) -> i64 {
        let completed = |story: &&Story| story.end == Some(End::Reached(Outcome::Completed));
        self.stories.values().filter(completed).map(|story| story.kind.order().unit_price).sum()
    }

    pub(crate) fn per_kind(&self) -> Value {
        let kinds = Kind::ALL.iter().map(|kind| {
            let of = || self.stories.values().filter(|story| story.kind == *kind);
            let counts = json!({
                "placed": of().count(),
                "as_demanded": of().filter(|story| story.as_demanded()).count(),
                "demanded": kind.outcome().as_str(),
            });
            (kind.name().to_owned(), counts)
        });
        Value::Object(kinds.collect())
    }
}

impl Story {
    pub(crate) fn as_demanded(&self) -> bool {
        self.end == Some(End::Reached(self.kind.outcome()))
    }

    pub(crate) fn seconds(&self) -> f64 {
        let times = || self.moves.iter().map(|step| step.at_micros);
        let micros = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        micros as f64 / 1_000_000.0
    }

    /// What kind of order it is, and whether nobody drives it.
    pub(crate) fn name(&self) -> String {
        match self.flow {
            Flow::Orchestrated => self.kind.name().to_owned(),
            Flow::Choreographed => format!("choreographed · {}", self.kind.name()),
        }
    }

    /// The saga as a transcript: what was done, refused, undone.
    pub(crate) fn transcript(&self) -> Vec<String> {
        self.moves.iter().filter_map(line).collect()
    }
}

fn line(step: &Move) -> Option<String> {
    let name = step.step.as_deref().unwrap_or_default();
    let because = step.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(match step.kind.as_str() {
        "StepSucceeded" => format!("  ✓ {name}"),
        "StepRefused" => format!("  ✗ {name} refused{because}"),
        "StepTimedOut" => format!("  … {name}: no answer in time"),
        "RetryScheduled" => format!("  ↻ {name} will be asked again"),
        "CompensationSucceeded" if name == START_STEP => "  ↶ order cancelled".to_owned(),
        "CompensationSucceeded" => format!("  ↶ {name} undone"),
        "SagaCompleted" => "  completed".to_owned(),
        "SagaRolledBack" => format!("  rolled back{because}"),
        "SagaStuck" => format!("  STUCK at {name}{because}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(order_id: Uuid, kind: &str) -> Move {
        Move { order_id, kind: kind.into(), step: None, reason: None, at_micros: 0 }
    }

    #[test]
    fn an_order_that_ends_other_than_its_kind_demands_goes_astray() {
        let (good, bad) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut tally = Tally::default();
        tally.place(good, Kind::AllGood, Flow::Orchestrated);
        tally.place(bad, Kind::OutOfStock, Flow::Choreographed);
        assert!(tally.note(step(good, "StepRequested")).is_none());
        assert!(tally.note(step(good, "SagaCompleted")).is_some());
        assert!(tally.note(step(bad, "SagaCompleted")).is_some());
        assert_eq!((tally.running(), tally.astray(), tally.revenue()), (0, 1, 5_000));
    }
}
