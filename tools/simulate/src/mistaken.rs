//! The mistakes of [`Mutation`] that are made in the engine and around a lane's decisions. Separate from the list, which
//! is for everybody; without a mistake both wrappers pass everything on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backstitch_messaging::LaneId;
use backstitch_orchestrator::engine::Engine;
use backstitch_processor::{Effects, Input, Loading, Logic, LogicOn, Message, Rejection, Timer};
use backstitch_saga::{
    CommandId, Definition, Direction, Effect, Event, Fact, Input as SagaInput, ParentCancel, Reply, Request, State,
    SubSagaAnswer, Timestamp, command_id,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::mutation::Mutation;
use crate::postgres::Connection;
use crate::world::lock;

/// The engine, with a mistake or without.
#[derive(Default)]
pub(crate) struct Mistaken {
    mutation: Option<Mutation>,
    /// Commands that are not sent.
    muted: Mutex<BTreeSet<CommandId>>,
    unpivoted: Mutex<BTreeMap<String, Arc<Definition>>>,
}

impl Mistaken {
    pub(crate) fn new(mutation: Option<Mutation>) -> Self {
        Self { mutation, ..Self::default() }
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// The definition without its pivots.
    fn unpivoted(&self, definition: &Definition) -> Option<Arc<Definition>> {
        let mut known = lock(&self.unpivoted);
        if let Some(found) = known.get(definition.hash()) {
            return Some(found.clone());
        }
        let text = definition.to_canonical_json().replace(r#""on_rollback":"pivot""#, r#""on_rollback":"nothing""#);
        let made = Arc::new(Definition::from_canonical_json(&text).ok()?);
        known.insert(definition.hash().to_owned(), made.clone());
        Some(made)
    }

    /// Takes compensations for done as soon as they are asked for, and keeps them from being sent.
    fn note_as_done(
        &self,
        definition: &Definition,
        state: &State,
        mut events: Vec<Event>,
        now: Timestamp,
        wanted: impl Fn(&Request) -> bool,
    ) -> Vec<Event> {
        let mut seen = 0;
        while let Some(event) = events.get(seen).cloned() {
            seen += 1;
            let Fact::CompensationRequested(request) = &event.fact else { continue };
            let Some(reply) = said_done(definition, request).filter(|_| wanted(request)) else { continue };
            lock(&self.muted).insert(request.command_id);
            let after = events.iter().fold(state.clone(), backstitch_saga::evolve);
            events.extend(backstitch_saga::decide(definition, &after, &SagaInput::Reply(reply), now));
        }
        events
    }
}

fn said_done(definition: &Definition, request: &Request) -> Option<Reply> {
    let expected = definition.expected_answers(&request.step, Direction::Compensate)?;
    let command = request.command_id.as_uuid();
    Some(Reply {
        topic: expected.topic,
        event_type: expected.done.into_iter().next()?,
        event_version: 1,
        event_id: Uuid::new_v5(&command, b"imagined"),
        causation_id: Some(command),
        answers_try: Some(request.try_number),
        aggregate_id: request.key.clone(),
        data: serde_json::json!({}),
    })
}

/// Gives every turn as soon as it is waited for.
fn at_once(definition: &Definition, state: &State, mut events: Vec<Event>, now: Timestamp) -> Vec<Event> {
    let mut seen = 0;
    while let Some(event) = events.get(seen).cloned() {
        seen += 1;
        let Fact::StepQueued { step, direction, .. } = event.fact else { continue };
        let after = events.iter().fold(state.clone(), backstitch_saga::evolve);
        events.extend(backstitch_saga::decide(definition, &after, &SagaInput::Turn { step, direction }, now));
    }
    events
}

fn said_undone(definition: &Definition, cancel: &ParentCancel) -> Fact {
    Fact::ParentTold {
        saga: definition.saga_id(&cancel.key),
        key: cancel.key.clone(),
        parent: cancel.parent.clone(),
        answer: SubSagaAnswer::RolledBack,
        reason: cancel.reason.clone(),
        result: serde_json::Value::Null,
    }
}

/// A no to any step, as a yes to it.
fn as_yes(definition: &Definition, reply: &Reply) -> Option<Reply> {
    let expected = definition.command_step_names().filter_map(|step| {
        let expected = definition.expected_answers(step, Direction::Forward)?;
        let refuses = expected.topic == reply.topic && expected.refused.contains(&reply.event_type);
        expected.done.into_iter().next().filter(|_| refuses)
    });
    let event_type = expected.into_iter().next()?;
    Some(Reply { event_type, ..reply.clone() })
}

impl Engine for Mistaken {
    fn decide(&self, definition: &Definition, state: &State, input: &SagaInput, now: Timestamp) -> Vec<Event> {
        let sound = || backstitch_saga::decide(definition, state, input, now);
        match (self.mutation, input) {
            (Some(Mutation::CompensationsAreOnlyNoted), _) => {
                self.note_as_done(definition, state, sound(), now, |_| true)
            }
            (Some(Mutation::NobodyWaits), _) => at_once(definition, state, sound(), now),
            (Some(Mutation::SilenceMeansNo), SagaInput::Deadline { step, direction: Direction::Forward, .. }) => {
                self.note_as_done(definition, state, sound(), now, |request| request.step == *step)
            }
            (Some(Mutation::OneItemIsUndone), _) => {
                let wanted = |request: &Request| request.step.item().is_some_and(|item| item > 0);
                self.note_as_done(definition, state, sound(), now, wanted)
            }
            (Some(Mutation::CompletedSubSagasStay), SagaInput::CancelByParent(cancel))
                if matches!(state, State::Completed(_)) =>
            {
                vec![Event { at: now, fact: said_undone(definition, cancel) }]
            }
            (Some(Mutation::NoMeansYes), SagaInput::Reply(reply)) => match as_yes(definition, reply) {
                Some(yes) => backstitch_saga::decide(definition, state, &SagaInput::Reply(yes), now),
                None => sound(),
            },
            (Some(Mutation::PivotIsForgotten), _) if *state != State::NotStarted => {
                let other = self.unpivoted(definition);
                backstitch_saga::decide(other.as_deref().unwrap_or(definition), state, input, now)
            }
            _ => sound(),
        }
    }

    fn evolve(&self, state: State, event: &Event) -> State {
        if self.has(Mutation::EarlyArrivalsAreForgotten) && matches!(event.fact, Fact::EarlyKept { .. }) {
            return state;
        }
        backstitch_saga::evolve(state, event)
    }

    fn react(&self, definition: &Definition, event: &Event) -> Vec<Effect> {
        let mut effects = backstitch_saga::react(definition, event);
        effects.retain(|effect| match effect {
            Effect::Send(command) => !lock(&self.muted).contains(&command.id),
            Effect::Report(_) => !self.has(Mutation::SubSagasTellNobody),
            Effect::Emit(_) => true,
        });
        for effect in &mut effects {
            if let Effect::Send(command) = effect
                && self.has(Mutation::ItemsShareACommandId)
            {
                command.id = command_id(command.saga, command.step.base(), None, command.direction);
            }
            if let Effect::Send(command) = effect
                && self.has(Mutation::AttemptsAreNewCommands)
                && command.attempt > 1
                && command.direction == Direction::Forward
            {
                let id = Uuid::new_v5(&command.id.as_uuid(), &command.attempt.to_be_bytes());
                command.id = CommandId::from_uuid(id);
            }
        }
        effects
    }
}

/// A lane's logic, with a mistake or without.
pub(crate) struct Watched<L> {
    pub(crate) logic: L,
    pub(crate) mutation: Option<Mutation>,
}

impl<L> Watched<L> {
    fn altered<'a>(&self, input: &'a Input) -> Cow<'a, Input> {
        match input {
            Input::Message(message)
                if self.mutation == Some(Mutation::RepeatedCommandsAreNew) && message.topic.ends_with(".commands") =>
            {
                let mut message = message.clone();
                let offset = message.delivery.offset.to_be_bytes();
                message.envelope.event_id = Uuid::new_v5(&message.envelope.event_id, &offset);
                Cow::Owned(Input::Message(message))
            }
            input => Cow::Borrowed(input),
        }
    }
}

impl<L: Logic> Logic for Watched<L> {
    fn flow_keys<'a>(&self, message: &'a Message) -> Vec<Cow<'a, str>> {
        self.logic.flow_keys(message)
    }

    fn needs_locks(&self, inputs: &[&Input]) -> bool {
        self.logic.needs_locks(inputs)
    }

    fn decide(&mut self, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        let altered = self.altered(input);
        self.logic.decide(&altered, now, effects)
    }

    fn committed(&mut self) {
        self.logic.committed();
    }

    fn aborted(&mut self) {
        if self.mutation != Some(Mutation::AbortedBatchesAreKept) {
            self.logic.aborted();
        }
    }
}

#[async_trait]
impl<L: LogicOn<Connection>> LogicOn<Connection> for Watched<L> {
    async fn claimed(&mut self, lane: LaneId, db: &mut Connection) -> Result<Vec<Timer>, sqlx::Error> {
        let timers = self.logic.claimed(lane, db).await?;
        Ok(if self.mutation == Some(Mutation::ClaimForgetsTimers) { Vec::new() } else { timers })
    }

    async fn load(&mut self, inputs: &[&Input], loading: Loading, db: &mut Connection) -> Result<(), sqlx::Error> {
        let altered: Vec<_> = inputs.iter().map(|input| self.altered(input)).collect();
        let inputs: Vec<&Input> = altered.iter().map(AsRef::as_ref).collect();
        self.logic.load(&inputs, loading, db).await
    }

    fn write(&mut self, batch: &mut crate::postgres::Batch) {
        LogicOn::<Connection>::write(&mut self.logic, batch);
    }
}
