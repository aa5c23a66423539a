//! What was sent: all that the journal obliges to is on its topic, and each step of a saga, and each item of a step, has
//! one command id of its own in each direction.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_contracts::{headers, saga};
use backstitch_saga::{Effect, react};

use super::Scene;

/// A command's saga, step and direction, as its headers say them.
type Asked = (String, String, String);

pub(super) fn problems(scene: &Scene<'_>) -> Vec<String> {
    let mut problems = owed(scene);
    problems.extend(ids(scene));
    problems
}

/// What the journal obliges to and nobody has published.
fn owed(scene: &Scene<'_>) -> Vec<String> {
    let mut published: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    for saga in &scene.sagas {
        for effect in saga.journal.iter().flat_map(|event| react(saga.definition, event)) {
            let (topic, id, what) = match effect {
                Effect::Send(command) => {
                    (command.topic, command.id.as_uuid(), format!("{} {}", command.step, command.direction))
                }
                Effect::Emit(emission) => (emission.topic, emission.event_id, emission.step.to_string()),
                Effect::Report(report) => (saga::COMMANDS.to_owned(), report.id, report.answer.event_type().to_owned()),
            };
            let known = published.entry(topic).or_insert_with_key(|topic| {
                let records = scene.records(topic);
                records.iter().filter_map(|record| record.header_text(headers::CE_ID).map(str::to_owned)).collect()
            });
            if !known.contains(&id.to_string()) {
                problems.push(format!("outbox: {} {what} is in the journal alone", saga.started.id));
            }
        }
    }
    problems
}

fn ids(scene: &Scene<'_>) -> Vec<String> {
    let (mut of, mut by): (BTreeMap<Asked, BTreeSet<String>>, BTreeMap<String, BTreeSet<Asked>>) = Default::default();
    for topic in scene.cast.definitions.written_topics() {
        for delivery in scene.records(&topic) {
            let header = |name| delivery.header_text(name).unwrap_or_default().to_owned();
            let asked = (header(headers::SAGA_ID), header(headers::SAGA_STEP), header(headers::SAGA_DIRECTION));
            if !asked.2.is_empty() {
                of.entry(asked.clone()).or_default().insert(header(headers::CE_ID));
                by.entry(header(headers::CE_ID)).or_default().insert(asked);
            }
        }
    }
    let twice = of.iter().filter(|(_, ids)| ids.len() > 1);
    let mut problems: Vec<String> =
        twice.map(|((saga, step, way), _)| format!("ids: {saga} {step} {way} has several command ids")).collect();
    let shared = by.iter().filter(|(_, asked)| asked.len() > 1);
    problems.extend(shared.map(|(id, asked)| format!("ids: {id} is the command of {} steps", asked.len())));
    problems
}
