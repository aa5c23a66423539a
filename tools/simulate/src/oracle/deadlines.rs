//! No timer overtakes an answer that waited: where a step fell silent, no answer to it was on the broker when its time was
//! up. Only answers in the saga's home lane count: one that has to be forwarded first may come later.

use std::time::Duration;

use backstitch_contracts::{Envelope, Payload as _, headers, saga};
use backstitch_messaging::{Delivery, partition_for};
use backstitch_saga::{Direction, Event, Fact, Request, StepName};
use serde::Deserialize as _;

use super::{Saga, Scene};
use crate::world::lock;

pub(super) fn problems(scene: &Scene<'_>) -> Vec<String> {
    scene.sagas.iter().flat_map(|saga| of_saga(scene, saga)).collect()
}

fn of_saga(scene: &Scene<'_>, saga: &Saga<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let paused = saga.journal.iter().any(|event| matches!(event.fact, Fact::SagaPaused { .. }));
    if paused {
        // A pause moves deadlines, and keeps answers.
        return problems;
    }
    for event in &saga.journal {
        let Fact::StepTimedOut { step, direction, attempt } = &event.fact else { continue };
        let Some(request) = request(&saga.journal, step, *direction, *attempt) else { continue };
        let overtaken = waiting(scene, saga, request, *direction);
        problems.extend(overtaken.map(|late| {
            let (id, way) = (saga.started.id, direction);
            format!("timers: {id} {step} {way} fell silent {:.3} s after its answer had come", late.as_secs_f64())
        }));
    }
    problems
}

fn request<'a>(journal: &'a [Event], step: &StepName, direction: Direction, attempt: u32) -> Option<&'a Request> {
    journal.iter().rev().find_map(|event| match (&event.fact, direction) {
        (Fact::StepRequested(request), Direction::Forward)
        | (Fact::CompensationRequested(request), Direction::Compensate)
            if request.step == *step && request.attempt == attempt =>
        {
            Some(request)
        }
        _ => None,
    })
}

/// How long before the deadline a good answer to the request was there.
fn waiting(scene: &Scene<'_>, saga: &Saga<'_>, request: &Request, direction: Direction) -> Option<Duration> {
    let expected = saga.definition.expected_answers(&request.step, direction)?;
    let due = scene.stage.world.since_beginning(request.deadline.as_micros());
    let arrivals = lock(&scene.stage.arrivals.first);
    let answers = scene.records(&expected.topic).into_iter().filter(|delivery| at_home(scene, saga, delivery));
    let good = answers.filter(|delivery| {
        scene
            .read(delivery)
            .and_then(|envelope| answer(&envelope, request))
            .is_some_and(|it| expected.done.contains(&it))
    });
    let came = good.filter_map(|delivery| arrivals.get(delivery.header_text(headers::CE_ID)?).copied()).min()?;
    due.checked_sub(came)
}

/// What the message answers to the request, if it does: a sub-saga names the step, and not a command.
fn answer(envelope: &Envelope, request: &Request) -> Option<String> {
    if envelope.event_type == saga::ReportSubSaga::EVENT_TYPE {
        let report = saga::ReportSubSaga::deserialize(&envelope.data).ok()?;
        let ours = report.saga_id == request.saga.as_uuid() && report.step == request.step.as_str();
        return ours.then_some(report.answer);
    }
    (envelope.causation_id == Some(request.command_id.as_uuid())).then(|| envelope.event_type.clone())
}

fn at_home(scene: &Scene<'_>, saga: &Saga<'_>, delivery: &Delivery) -> bool {
    let lanes = scene.stage.broker.partitions(saga::INPUTS).unwrap_or(1).max(1);
    delivery.source.partition % lanes == partition_for(saga.started.key.as_bytes(), lanes)
}
