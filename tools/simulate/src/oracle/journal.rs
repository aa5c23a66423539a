//! The journal: one number after the other, the same in the database and on its topic, and folding to what is stored.

use std::collections::BTreeMap;

use backstitch_contracts::saga;
use backstitch_saga::{Event, State};

use super::{Saga, Scene};
use crate::postgres::Tables;

pub(super) fn problems(scene: &Scene<'_>, tables: &Tables) -> Vec<String> {
    let mut published: BTreeMap<String, Vec<(i64, Event)>> = BTreeMap::new();
    let mut problems = Vec::new();
    for delivery in scene.records(saga::EVENTS) {
        let Some(envelope) = scene.read(&delivery) else {
            problems.push(format!("journal: unreadable at {}", delivery.offset));
            continue;
        };
        let seq = envelope.metadata.get("seq").and_then(|seq| seq.parse().ok()).unwrap_or(0);
        match Event::from_record(&envelope.event_type, &envelope.data) {
            Ok(event) => published.entry(envelope.aggregate_id).or_default().push((seq, event)),
            Err(error) => problems.push(format!("journal: {}#{seq} is no entry: {error}", envelope.aggregate_id)),
        }
    }
    for saga in &scene.sagas {
        problems.extend(stored(saga, tables));
        let entries = published.remove(&saga.started.id.to_string()).unwrap_or_default();
        problems.extend(told(saga, &entries));
    }
    problems.extend(published.keys().map(|id| format!("journal: {id} was never started")));
    problems
}

fn stored(saga: &Saga<'_>, tables: &Tables) -> Option<String> {
    let id = saga.started.id;
    let uuid = id.as_uuid();
    let numbers: Vec<i64> = tables.journal.range((uuid, 0)..=(uuid, i64::MAX)).map(|((_, seq), _)| *seq).collect();
    let expected: Vec<i64> = (1..=saga.seq).collect();
    if numbers != expected {
        return Some(format!("gaps: {id} has {} entries and stores {numbers:?}", saga.seq));
    }
    let folded = saga.journal.iter().fold(State::NotStarted, backstitch_saga::evolve);
    (folded != saga.state).then(|| format!("replay: the journal of {id} does not fold to its stored state"))
}

/// Repeats say the same; what is new comes in order.
fn told(saga: &Saga<'_>, entries: &[(i64, Event)]) -> Option<String> {
    let id = saga.started.id;
    let mut last = 0;
    for (seq, event) in entries {
        if *seq == last + 1 {
            last = *seq;
        } else if *seq > last {
            return Some(format!("gaps: on the topic, {id}#{seq} follows #{last}"));
        }
        let index = usize::try_from(*seq - 1).unwrap_or(usize::MAX);
        if saga.journal.get(index) != Some(event) {
            return Some(format!("journal: {id}#{seq} is another on the topic than in the database"));
        }
    }
    (last != saga.seq).then(|| format!("gaps: {id} has {} entries, and {last} are on the topic", saga.seq))
}
