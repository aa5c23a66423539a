//! What a fact obliges the shell to do, and `react`, which says so.
//!
//! Separate because it is the whole of the engine's voice: everything else a shell does is storage.

use serde_json::Value;
use uuid::Uuid;

use crate::definition::Definition;
use crate::definition::plan::Ask;
use crate::event::{Event, Fact, Request};
use crate::ids::{CommandId, Direction, SagaId, StepName, command_id};
use crate::sub_saga::{self, Parent, SubSagaAnswer};
use crate::time::Timestamp;

/// Something the shell must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a command.
    Send(Command),
    /// Publish an event.
    Emit(Emission),
    /// Tell the step that started the saga.
    Report(Report),
}

impl Effect {
    /// The step that says it, and in which direction the saga is going; absent for what the saga as a whole says.
    pub const fn said_by(&self) -> Option<(&StepName, Direction)> {
        match self {
            Self::Send(command) => Some((&command.step, command.direction)),
            Self::Emit(emission) => Some((&emission.step, Direction::Forward)),
            Self::Report(_) => None,
        }
    }
}

/// What a saga says to the step that started it. Correlation and user ids are the saga's.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its id, derived: saying it again is no news.
    pub id: Uuid,
    /// The step.
    pub parent: Parent,
    /// The saga.
    pub saga: SagaId,
    /// Its definition's name.
    pub definition: String,
    /// Its key.
    pub key: String,
    /// What became of it.
    pub answer: SubSagaAnswer,
    /// Why, unless all went well.
    pub reason: Option<String>,
    /// The definition's `result`.
    pub result: Value,
}

/// A command to be sent. Correlation and user ids are the saga's.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its id: the same for every attempt.
    pub id: CommandId,
    /// Its type.
    pub command_type: String,
    /// The topic it goes to.
    pub topic: String,
    /// The message's key: the saga's.
    pub key: String,
    /// The saga.
    pub saga: SagaId,
    /// The step.
    pub step: StepName,
    /// Forward or compensation.
    pub direction: Direction,
    /// How often it was asked, from 1.
    pub attempt: u32,
    /// Raised when an answer asked for another try; kept after silence.
    pub try_number: u32,
    /// On a compensation: the id of the command it undoes; absent for step 0.
    pub undoes: Option<CommandId>,
    /// When the attempt ends (advisory).
    pub deadline: Timestamp,
    /// What it says.
    pub payload: Value,
    /// Id of the event or command that led to it.
    pub causation_id: Option<Uuid>,
}

/// An event to be published. Correlation and user ids are the saga's.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// Its id, derived.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Its version.
    pub event_version: i32,
    /// The topic it goes to.
    pub topic: String,
    /// The message's key: the saga's.
    pub key: String,
    /// The saga.
    pub saga: SagaId,
    /// The step.
    pub step: StepName,
    /// What it says.
    pub payload: Value,
    /// What caused it.
    pub causation_id: Option<Uuid>,
}

/// What a journal entry obliges the shell to do. An entry of another definition obliges to nothing.
pub fn react(definition: &Definition, event: &Event) -> Vec<Effect> {
    match &event.fact {
        Fact::StepRequested(request) => {
            let ask = definition.forward(&request.step);
            ask.map(|ask| send(ask, request, Direction::Forward)).into_iter().collect()
        }
        Fact::CompensationRequested(request) => {
            let ask = definition.compensation(&request.step, request.started_by.as_ref());
            ask.map(|ask| send(ask, request, Direction::Compensate)).into_iter().collect()
        }
        Fact::EventEmitted { saga, key, step, event_id, payload, causation_id } => {
            let emission = emission(definition, step).map(|(topic, event_type, event_version)| Emission {
                event_id: *event_id,
                event_type,
                event_version,
                topic,
                key: key.clone(),
                saga: *saga,
                step: step.clone(),
                payload: payload.clone(),
                causation_id: *causation_id,
            });
            emission.map(Effect::Emit).into_iter().collect()
        }
        told @ Fact::ParentTold { .. } => report(definition, told).into_iter().collect(),
        Fact::SagaStarted(_)
        | Fact::StartRefused { .. }
        | Fact::CancelledBeforeStart { .. }
        | Fact::StepQueued { .. }
        | Fact::StepSucceeded { .. }
        | Fact::StepRefused { .. }
        | Fact::StepTimedOut { .. }
        | Fact::RetryScheduled { .. }
        | Fact::StepSkipped { .. }
        | Fact::ChoiceMade { .. }
        | Fact::FanOutStarted { .. }
        | Fact::DelayStarted { .. }
        | Fact::WaitStarted { .. }
        | Fact::WaitEnded { .. }
        | Fact::EarlyKept { .. }
        | Fact::StepUndone { .. }
        | Fact::RollbackStarted { .. }
        | Fact::CompensationSucceeded { .. }
        | Fact::CompensationRefused { .. }
        | Fact::CompensationSkipped { .. }
        | Fact::SagaPaused { .. }
        | Fact::SagaResumed { .. }
        | Fact::ReplyKept { .. }
        | Fact::SagaStuck { .. }
        | Fact::SagaUnstuck { .. }
        | Fact::CancelRefused { .. }
        | Fact::DefinitionMoved { .. }
        | Fact::MoveRefused { .. }
        | Fact::SagaDeadlinePassed {}
        | Fact::SagaCompleted {}
        | Fact::SagaRolledBack { .. }
        | Fact::SagaAbandoned { .. } => Vec::new(),
    }
}

fn report(definition: &Definition, told: &Fact) -> Option<Effect> {
    let Fact::ParentTold { saga, key, parent, answer, reason, result } = told else { return None };
    Some(Effect::Report(Report {
        id: sub_saga::answer_id(*saga, *answer, parent),
        parent: parent.clone(),
        saga: *saga,
        definition: definition.name().to_owned(),
        key: key.clone(),
        answer: *answer,
        reason: reason.clone(),
        result: result.clone(),
    }))
}

fn send(ask: &Ask, request: &Request, direction: Direction) -> Effect {
    let is_start = request.step == StepName::start();
    let undoes = match direction {
        Direction::Compensate if !is_start => {
            Some(command_id(request.saga, request.step.as_str(), None, Direction::Forward))
        }
        Direction::Compensate | Direction::Forward => None,
    };
    Effect::Send(Command {
        id: request.command_id,
        command_type: ask.command_type.clone(),
        topic: ask.topic.clone(),
        key: key(ask, request),
        saga: request.saga,
        step: request.step.clone(),
        direction,
        attempt: request.attempt,
        try_number: request.try_number,
        undoes,
        deadline: request.deadline,
        payload: request.payload.clone(),
        causation_id: request.causation_id,
    })
}

/// A command is keyed by its saga; one to a sub-saga by that one's key, so that it arrives at its home.
fn key(ask: &Ask, request: &Request) -> String {
    let sub_saga = request.payload.get("key").filter(|_| ask.topic == sub_saga::TOPIC);
    sub_saga.and_then(Value::as_str).unwrap_or(&request.key).to_owned()
}

fn emission(definition: &Definition, step: &StepName) -> Option<(String, String, i32)> {
    let emit = definition.step(step)?.action.emit()?;
    Some((emit.topic.clone(), emit.event_type.clone(), emit.event_version))
}
