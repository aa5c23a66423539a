//! No lane has more under way at a participant than its share of the participant's limit. Separate, because the sagas of a
//! lane are looked at together here: their journals are folded side by side, in order of time.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_contracts::saga;
use backstitch_messaging::partition_for;
use backstitch_saga::{Direction, State, Timestamp, Waiting};

use super::{Saga, Scene};

/// A lane, and a participant.
type Desk = (i32, String);

pub(super) fn problems(scene: &Scene<'_>) -> Vec<String> {
    let lanes = scene.stage.broker.partitions(saga::INPUTS).unwrap_or(1).max(1);
    let (mut changes, mut unclear) = (BTreeMap::<Desk, Vec<(Timestamp, i64)>>::new(), BTreeSet::new());
    for saga in &scene.sagas {
        let lane = partition_for(saga.started.key.as_bytes(), lanes);
        // One that stood still goes on with what it had under way, whoever was asked meanwhile.
        if saga.journal.iter().any(|event| matches!(event.kind(), "SagaPaused" | "SagaStuck")) {
            unclear.insert(lane);
        }
        follow(saga, lane, &mut changes);
    }
    let limits = backstitch_orchestrator::participants::limits(&scene.cast.definitions);
    let mut problems = Vec::new();
    for ((lane, participant), mut changes) in changes.into_iter().filter(|((lane, _), _)| !unclear.contains(lane)) {
        let share = |whole: &backstitch_saga::participant::Limits| {
            whole.share(u32::try_from(lane).unwrap_or(0), u32::try_from(lanes).unwrap_or(1)).in_flight_max
        };
        let Some(max) = limits.get(&participant).and_then(share) else { continue };
        // What ends at some time makes room for what begins at it.
        changes.sort_unstable();
        let mut under_way = 0;
        let most = changes.iter().map(|(_, change)| {
            under_way += change;
            under_way
        });
        let most = most.max().unwrap_or(0);
        if most > i64::from(max) {
            problems.push(format!(
                "limits: lane {lane} had {most} commands under way at {participant}, {max} are its share"
            ));
        }
    }
    problems
}

fn follow(saga: &Saga<'_>, lane: i32, changes: &mut BTreeMap<Desk, Vec<(Timestamp, i64)>>) {
    let mut state = State::NotStarted;
    let mut before: BTreeMap<String, i64> = BTreeMap::new();
    for event in &saga.journal {
        state = backstitch_saga::evolve(state, event);
        let now = under_way(saga, &state);
        for participant in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let count = |all: &BTreeMap<String, i64>| all.get(participant).copied().unwrap_or(0);
            let change = count(&now) - count(&before);
            if change != 0 {
                changes.entry((lane, participant.clone())).or_default().push((event.at, change));
            }
        }
        before = now;
    }
}

fn under_way(saga: &Saga<'_>, state: &State) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    let (State::Advancing(_) | State::RollingBack(_)) = state else { return counts };
    let direction = state.direction().unwrap_or(Direction::Forward);
    for open in state.open().iter().filter(|open| matches!(open.waiting, Waiting::Answer { .. })) {
        if let Some(participant) = saga.definition.asks_at(&open.step, direction) {
            *counts.entry(participant.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}
