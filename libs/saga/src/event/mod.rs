//! What the engine decided: a saga's journal.
//!
//! Separate because the journal outlives everything else: it is published, kept for ever, and folding it gives the
//! state back. Names and fields here are a wire contract.

mod record;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use record::{JournalError, KINDS};

use crate::cause::{By, Cause};
use crate::definition::StartedBy;
use crate::ids::{CommandId, Direction, SagaId, StepName};
use crate::input::Reply;
use crate::sub_saga::{Parent, SubSagaAnswer};
use crate::time::Timestamp;

/// One journal entry: what, and when it was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Fact {
    /// The saga began.
    SagaStarted(SagaStarted),
    /// The saga may not begin.
    StartRefused {
        /// Why not.
        reason: String,
    },
    /// Somebody cancelled a saga that had not begun: it never will.
    CancelledBeforeStart {
        /// Who.
        by: By,
    },
    /// A step or its compensation waits for a turn at its participant.
    StepQueued {
        /// The step.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
        /// The participant: the topic of its commands.
        participant: String,
        /// Whether an answer asked for another try; after silence the try stays.
        raises_try: bool,
        /// When waiting ends, if it does: with the time for all attempts.
        until: Option<Timestamp>,
        /// Id of the event that led to it.
        causation_id: Option<Uuid>,
    },
    /// A participant was asked.
    StepRequested(Request),
    /// It was done.
    StepSucceeded {
        /// The step.
        step: StepName,
        /// The event that said so; absent for delays.
        event_type: Option<String>,
        /// Its id.
        event_id: Option<Uuid>,
        /// What later steps use of it.
        result: Value,
    },
    /// The participant said no.
    StepRefused {
        /// The step.
        step: StepName,
        /// The event that said so.
        event_type: String,
        /// Its id.
        event_id: Uuid,
        /// The event's own reason, if it has one.
        reason: Option<String>,
    },
    /// No answer came in time, to the step or its compensation.
    StepTimedOut {
        /// The step.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
        /// The attempt that fell silent.
        attempt: u32,
    },
    /// It will be asked again.
    RetryScheduled {
        /// The step.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
        /// The attempt that ended.
        attempt: u32,
        /// The answer that asked for another try; absent after silence.
        answer: Option<Uuid>,
        /// When it will be asked again.
        until: Timestamp,
    },
    /// The step's condition did not hold, or a person settled it.
    StepSkipped {
        /// The step.
        step: StepName,
        /// The person; absent when the condition did not hold.
        by: Option<By>,
    },
    /// A choice was made.
    ChoiceMade {
        /// The step that chooses.
        step: StepName,
        /// The branch taken, from 0; absent when no condition held.
        branch: Option<u32>,
    },
    /// A list's items are known; steps are done for each of them.
    FanOutStarted {
        /// The step that says so.
        step: StepName,
        /// The items.
        items: Vec<Value>,
        /// Identifiers of the steps whose results are collected.
        collected: Vec<String>,
    },
    /// A delay began.
    DelayStarted {
        /// The step.
        step: StepName,
        /// Its end.
        until: Timestamp,
    },
    /// Waiting began.
    WaitStarted {
        /// The step.
        step: StepName,
        /// Its end, if it has one.
        deadline: Option<Timestamp>,
    },
    /// What a step waits for did not come in time, and the saga goes on without.
    WaitEnded {
        /// The step.
        step: StepName,
    },
    /// What a step will wait for came early.
    EarlyKept {
        /// The step that will wait.
        step: StepName,
        /// The event's id; absent for signals.
        event_id: Option<Uuid>,
        /// What later steps use of it.
        result: Value,
        /// Who signalled.
        by: Option<By>,
    },
    /// A step published an event.
    EventEmitted {
        /// The saga.
        saga: SagaId,
        /// Its key.
        key: String,
        /// The step.
        step: StepName,
        /// The event's id.
        event_id: Uuid,
        /// What it says.
        payload: Value,
        /// What caused it.
        causation_id: Option<Uuid>,
    },
    /// A finished step was taken back by itself.
    StepUndone {
        /// The step.
        step: StepName,
        /// The event that said so.
        event_type: String,
        /// Its id.
        event_id: Uuid,
    },
    /// Everything done so far is to be undone.
    RollbackStarted {
        /// Why.
        cause: Cause,
        /// What will be undone: steps of one stage together, stages one after the other.
        stages: Vec<Vec<StepName>>,
    },
    /// A participant was asked to take a step back.
    CompensationRequested(Request),
    /// It was taken back.
    CompensationSucceeded {
        /// The step.
        step: StepName,
        /// The event that said so.
        event_type: String,
        /// Its id.
        event_id: Uuid,
    },
    /// The participant will not take it back.
    CompensationRefused {
        /// The step.
        step: StepName,
        /// The event that said so.
        event_type: String,
        /// Its id.
        event_id: Uuid,
        /// The event's own reason, if it has one.
        reason: Option<String>,
    },
    /// A person settled a compensation by hand.
    CompensationSkipped {
        /// The step.
        step: StepName,
        /// Who.
        by: By,
    },
    /// The saga stands still.
    SagaPaused {
        /// Who.
        by: By,
    },
    /// It goes on.
    SagaResumed {
        /// Who.
        by: By,
    },
    /// A reply came while the saga stood still; it is dealt with when the saga goes on.
    ReplyKept {
        /// The reply.
        reply: Reply,
    },
    /// A person is needed.
    SagaStuck {
        /// The step that cannot go on.
        step: StepName,
        /// Forward or compensation.
        direction: Direction,
        /// Why.
        reason: String,
    },
    /// It goes on.
    SagaUnstuck {
        /// Who; absent when a late answer settled it.
        by: Option<By>,
    },
    /// A cancel came too late.
    CancelRefused {
        /// Who.
        by: By,
        /// Why.
        reason: String,
    },
    /// The saga goes on under another definition of its name.
    DefinitionMoved {
        /// Hash of the definition it was under.
        from: String,
        /// Hash of the one it goes on under.
        to: String,
        /// That one's version.
        version: u32,
        /// Who.
        by: By,
    },
    /// The saga cannot go on under another definition.
    MoveRefused {
        /// Hash of that definition.
        to: String,
        /// Who.
        by: By,
        /// What stands against it.
        reason: String,
    },
    /// The saga's deadline passed after the pivot: it goes on.
    SagaDeadlinePassed {},
    /// The step that started the saga was told what became of it.
    ParentTold {
        /// The saga.
        saga: SagaId,
        /// Its key.
        key: String,
        /// The step.
        parent: Parent,
        /// What it was told.
        answer: SubSagaAnswer,
        /// Why, unless all went well.
        reason: Option<String>,
        /// The definition's `result`; null unless all went well.
        result: Value,
    },
    /// All steps are done.
    SagaCompleted {},
    /// Everything is undone.
    SagaRolledBack {
        /// Why.
        reason: String,
    },
    /// A person gave it up.
    SagaAbandoned {
        /// Who.
        by: By,
    },
}

/// A saga's beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SagaStarted {
    /// The saga.
    pub saga: SagaId,
    /// Its definition's name.
    pub definition: String,
    /// Its definition's version.
    pub version: u32,
    /// Its definition's hash.
    pub definition_hash: String,
    /// Its key.
    pub key: String,
    /// `saga.data`.
    pub data: Arc<Value>,
    /// The event that started it; absent when somebody asked by name.
    pub started_by: Option<StartedBy>,
    /// Id of the event or command that started it.
    pub causation_id: Uuid,
    /// Id of the whole flow.
    pub correlation_id: Uuid,
    /// The user on whose behalf it runs.
    pub user_id: Option<String>,
    /// When it will be rolled back.
    pub deadline: Option<Timestamp>,
    /// The step of another saga that waits for its end.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// Whether it only observes what others do by themselves.
    #[serde(default)]
    pub observed: bool,
}

/// A command to a participant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The saga.
    pub saga: SagaId,
    /// Its key.
    pub key: String,
    /// The step.
    pub step: StepName,
    /// The command's id: the same for every attempt.
    pub command_id: CommandId,
    /// How often it was asked, from 1.
    pub attempt: u32,
    /// Raised when an answer asked for another try; kept after silence.
    pub try_number: u32,
    /// When the attempt ends.
    pub deadline: Timestamp,
    /// What it says.
    pub payload: Value,
    /// Id of the event or command that led to it.
    pub causation_id: Option<Uuid>,
    /// On a compensation of step 0: the event whose trigger says how.
    pub started_by: Option<StartedBy>,
}

impl Event {
    /// The stable name of its kind.
    pub const fn kind(&self) -> &'static str {
        self.fact.kind()
    }
}

impl Fact {
    /// The stable name of its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SagaStarted(_) => "SagaStarted",
            Self::StartRefused { .. } => "StartRefused",
            Self::CancelledBeforeStart { .. } => "CancelledBeforeStart",
            Self::StepQueued { .. } => "StepQueued",
            Self::StepRequested(_) => "StepRequested",
            Self::StepSucceeded { .. } => "StepSucceeded",
            Self::StepRefused { .. } => "StepRefused",
            Self::StepTimedOut { .. } => "StepTimedOut",
            Self::RetryScheduled { .. } => "RetryScheduled",
            Self::StepSkipped { .. } => "StepSkipped",
            Self::ChoiceMade { .. } => "ChoiceMade",
            Self::FanOutStarted { .. } => "FanOutStarted",
            Self::DelayStarted { .. } => "DelayStarted",
            Self::WaitStarted { .. } => "WaitStarted",
            Self::WaitEnded { .. } => "WaitEnded",
            Self::EarlyKept { .. } => "EarlyKept",
            Self::EventEmitted { .. } => "EventEmitted",
            Self::StepUndone { .. } => "StepUndone",
            Self::RollbackStarted { .. } => "RollbackStarted",
            Self::CompensationRequested(_) => "CompensationRequested",
            Self::CompensationSucceeded { .. } => "CompensationSucceeded",
            Self::CompensationRefused { .. } => "CompensationRefused",
            Self::CompensationSkipped { .. } => "CompensationSkipped",
            Self::SagaPaused { .. } => "SagaPaused",
            Self::SagaResumed { .. } => "SagaResumed",
            Self::ReplyKept { .. } => "ReplyKept",
            Self::SagaStuck { .. } => "SagaStuck",
            Self::SagaUnstuck { .. } => "SagaUnstuck",
            Self::CancelRefused { .. } => "CancelRefused",
            Self::DefinitionMoved { .. } => "DefinitionMoved",
            Self::MoveRefused { .. } => "MoveRefused",
            Self::SagaDeadlinePassed {} => "SagaDeadlinePassed",
            Self::ParentTold { .. } => "ParentTold",
            Self::SagaCompleted {} => "SagaCompleted",
            Self::SagaRolledBack { .. } => "SagaRolledBack",
            Self::SagaAbandoned { .. } => "SagaAbandoned",
        }
    }
}
