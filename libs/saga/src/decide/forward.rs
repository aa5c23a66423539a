//! Going forward: which steps come next, and what each does first.
//!
//! Separate because the only question here is what the passed steps allow; how a step ended is decided elsewhere.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::draft::{Draft, facts};
use super::{ask, child, flow};
use crate::definition::order::Next;
use crate::definition::plan::{Action, Emit, Kept};
use crate::event::Fact;
use crate::ids::{Direction, StepName, emitted_event_id};
use crate::state::State;

/// Begins everything that may begin now; completes the saga when nothing is left.
pub(super) fn advance(draft: &mut Draft<'_>) {
    loop {
        let State::Advancing(advancing) = draft.state() else { return };
        let frontier = draft.definition.frontier(&advancing.saga);
        if frontier.is_empty() {
            return child::complete(draft);
        }
        let mut further = false;
        for next in frontier {
            begin(draft, &next);
            further |= draft.has_passed(&next.name) || draft.has_decided(&next.name);
        }
        if !further {
            return;
        }
    }
}

fn begin(draft: &mut Draft<'_>, next: &Next<'_>) {
    let State::Advancing(advancing) = draft.state() else { return };
    let Next { step, name } = next;
    if draft.find_open(name).is_some() {
        take_early(draft, name);
        return;
    }
    let facts = facts(draft.definition, &advancing.saga, name, None, None);
    let needed = step.when.as_ref().map_or(Ok(true), |when| when.holds(&facts));
    match needed {
        Err(error) => draft.stuck(name, error.to_string()),
        Ok(false) => draft.push(Fact::StepSkipped { step: name.clone(), by: None }),
        Ok(true) => act(draft, &step.action, name),
    }
}

fn act(draft: &mut Draft<'_>, action: &Action, name: &StepName) {
    let step = name.clone();
    match action {
        Action::Command(command) => ask::request(draft, name, &command.ask),
        Action::Delay(delay) => {
            let until = draft.now.plus(*delay);
            draft.push(Fact::DelayStarted { step, until });
        }
        Action::Wait(wait) => {
            let deadline = wait.timeout.map(|timeout| draft.now.plus(timeout));
            draft.push(Fact::WaitStarted { step, deadline });
            take_early(draft, name);
        }
        Action::Observe(observed) => {
            let deadline = observed.timeout.map(|timeout| draft.now.plus(timeout));
            draft.push(Fact::WaitStarted { step, deadline });
        }
        Action::Emit(emit) => publish(draft, name, emit),
        Action::Choice(choice) => flow::choose(draft, name, choice),
        Action::ForEach(each) => flow::fan_out(draft, name, each),
    }
}

/// What a waiting step waits for may have come before it.
fn take_early(draft: &mut Draft<'_>, step: &StepName) {
    let early = draft.state().saga().and_then(|saga| saga.early.get(step)).cloned();
    if let Some(early) = early {
        let (event_id, result) = (early.event_id, early.result);
        draft.push(Fact::StepSucceeded { step: step.clone(), event_type: None, event_id, result });
    }
}

fn publish(draft: &mut Draft<'_>, step: &StepName, emit: &Emit) {
    let Some(saga) = draft.state().saga() else { return };
    let fact =
        emit.payload.evaluate(&facts(draft.definition, saga, step, None, None)).map(|payload| Fact::EventEmitted {
            saga: saga.id,
            key: saga.key.clone(),
            step: step.clone(),
            event_id: emitted_event_id(saga.id, step.as_str()),
            payload,
            causation_id: draft.causation.or(Some(saga.causation_id)),
        });
    let fact = fact.map_err(|error| error.to_string());
    match fact.and_then(|fact| draft.why_unsendable(step, Direction::Forward).map_or(Ok(fact), Err)) {
        Ok(fact) => draft.push(fact),
        Err(reason) => draft.stuck(step, reason),
    }
}

/// A step is done: keeps what later steps use of it, and goes on.
pub(super) fn succeed(draft: &mut Draft<'_>, step: &StepName, event: Option<(&str, Uuid)>, data: &Value) {
    let result = kept(draft, step, data);
    let (event_type, event_id) = event.map(|(event_type, id)| (event_type.to_owned(), id)).unzip();
    draft.push(Fact::StepSucceeded { step: step.clone(), event_type, event_id, result });
    advance(draft);
}

/// The part of a result that later steps use; null when they use nothing.
pub(super) fn kept(draft: &Draft<'_>, step: &StepName, data: &Value) -> Value {
    match draft.definition.step(step).map(|step| &step.kept) {
        None | Some(Kept::Nothing) => Value::Null,
        Some(Kept::Whole) => data.clone(),
        Some(Kept::Fields(fields)) => {
            let found = fields.iter().filter_map(|field| Some((field.clone(), data.get(field)?.clone())));
            Value::Object(found.collect::<Map<_, _>>())
        }
    }
}
