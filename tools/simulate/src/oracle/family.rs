//! Sagas that start sagas: what a step takes its sub-saga to have done is what that one has done, and nothing of a
//! sub-saga is left when its parent is rolled back, unless the definition says so.

use std::collections::BTreeMap;

use backstitch_saga::{Direction, Event, Fact, Parent, Request, SagaId, State, StepName, SubSagaAnswer, sub_saga};
use serde_json::Value;

use super::{Saga, Scene};

pub(super) fn problems(scene: &Scene<'_>) -> Vec<String> {
    let by_id: BTreeMap<SagaId, &Saga<'_>> = scene.sagas.iter().map(|saga| (saga.started.id, saga)).collect();
    let mut problems = Vec::new();
    for saga in &scene.sagas {
        problems.extend(orphan(&by_id, saga));
        for request in saga.journal.iter().filter_map(|event| start(saga, event)) {
            let id = started(request);
            problems.extend(match by_id.get(&id) {
                Some(child) => agree(saga, child, &request.step),
                None => Some(format!("family: {} started {id}, of which nobody knows", saga.started.id)),
            });
        }
    }
    problems
}

/// The command of a step that starts a sub-saga.
fn start<'a>(saga: &Saga<'_>, event: &'a Event) -> Option<&'a Request> {
    let Fact::StepRequested(request) = &event.fact else { return None };
    let expected = saga.definition.expected_answers(&request.step, Direction::Forward)?;
    (expected.topic == sub_saga::TOPIC).then_some(request)
}

fn started(request: &Request) -> SagaId {
    let text = |name: &str| request.payload[name].as_str().unwrap_or_default();
    SagaId::derive(text("definition"), text("key"))
}

fn parent<'a>(saga: &'a Saga<'_>) -> Option<&'a Parent> {
    saga.journal.iter().find_map(|event| match &event.fact {
        Fact::SagaStarted(started) => started.parent.as_ref(),
        _ => None,
    })
}

/// Whoever says to have been started by a step was.
fn orphan(by_id: &BTreeMap<SagaId, &Saga<'_>>, saga: &Saga<'_>) -> Option<String> {
    let (id, parent) = (saga.started.id, parent(saga)?);
    let asked = by_id.get(&parent.saga).is_some_and(|it| {
        let mut requests = it.journal.iter().filter_map(|event| start(it, event));
        requests.any(|request| request.step == parent.step && started(request) == id)
    });
    (!asked).then(|| format!("family: {id} was started by {parent}, which never asked for it"))
}

fn agree(saga: &Saga<'_>, child: &Saga<'_>, step: &StepName) -> Option<String> {
    let problem = |what: String| Some(format!("family: {} {step}: {what}", saga.started.id));
    let last = last_word(saga, step);
    let began = child.journal.iter().any(|event| matches!(event.fact, Fact::SagaStarted(_)));
    let is_ours = !began || parent(child).is_some_and(|parent| parent.saga == saga.started.id && parent.step == *step);
    let status = child.state.status();
    if !is_ours {
        let taken = matches!(last, Some(Fact::StepSucceeded { .. }));
        return taken.then(|| problem(format!("somebody else's {} is taken for done", child.started.id))).flatten();
    }
    if let Some(Fact::StepSucceeded { result, .. }) = last
        && !told(child, SubSagaAnswer::Completed, result)
    {
        return problem(format!("{} never said that it had completed with {result}", child.started.id));
    }
    let undone = matches!(child.state, State::RolledBack(_) | State::Refused(_));
    match (&saga.state, last) {
        (State::Completed(_), Some(Fact::StepSucceeded { .. })) if !matches!(child.state, State::Completed(_)) => {
            problem(format!("the saga is completed, and {} is {status}", child.started.id))
        }
        (_, Some(Fact::CompensationSucceeded { event_type, .. })) if event_type == sub_saga::ROLLED_BACK && !undone => {
            problem(format!("it is undone, and {} is {status}", child.started.id))
        }
        (State::RolledBack(_), Some(Fact::CompensationSkipped { .. })) => None,
        (State::RolledBack(_), _) if !undone && !stays(saga, child, step) => {
            problem(format!("the saga is rolled back, and {} is {status}", child.started.id))
        }
        _ => None,
    }
}

/// What the parent's journal says of the step in the end.
fn last_word<'a>(saga: &'a Saga<'_>, step: &StepName) -> Option<&'a Fact> {
    let about = |event: &&Event| match &event.fact {
        Fact::StepSucceeded { step: it, .. }
        | Fact::StepRefused { step: it, .. }
        | Fact::CompensationSucceeded { step: it, .. }
        | Fact::CompensationSkipped { step: it, .. } => it == step,
        _ => false,
    };
    saga.journal.iter().rev().find(about).map(|event| &event.fact)
}

/// Whether the sub-saga has said so, and with this: of a result the parent keeps what its later steps use.
fn told(child: &Saga<'_>, said: SubSagaAnswer, kept: &Value) -> bool {
    child.journal.iter().any(|event| match &event.fact {
        Fact::ParentTold { answer, result, .. } => {
            let mut kept = kept.as_object().into_iter().flatten();
            *answer == said && kept.all(|(name, value)| result.get(name) == Some(value))
        }
        _ => false,
    })
}

/// Whether a completed sub-saga may outlive its parent.
fn stays(saga: &Saga<'_>, child: &Saga<'_>, step: &StepName) -> bool {
    saga.definition.stays_when_done(step) && matches!(child.state, State::Completed(_) | State::Stuck(_))
}
