//! What participants say, made up as the participants' contract asks.
//!
//! Separate because ids must come out as a real participant derives them: the same answer to the same try has the
//! same id, which is what makes repetition harmless.

use backstitch_saga::definition::ExpectedAnswers;
use backstitch_saga::{By, Direction, Input, Reply, SagaId, Signal, StepName, command_id, sub_saga};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::specimen::Specimen;

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Says {
    Done,
    Refused,
    AskAgain,
}

/// An answer to the command of `step`, as if `try_number` were the try it answers; none when the definition expects
/// no such answer.
pub(crate) fn answer(
    specimen: &Specimen,
    saga: SagaId,
    (step, direction): (&StepName, Direction),
    says: Says,
    try_number: u32,
) -> Option<Reply> {
    let expected = specimen.definition().expected_answers(step, direction)?;
    let ExpectedAnswers { topic, done, refused, ask_again, .. } = expected;
    let samples = specimen.answers(step.as_str());
    let (events, sample) = match says {
        Says::Done => (done, samples.done),
        Says::Refused => (refused, samples.refused),
        Says::AskAgain => (ask_again, samples.ask_again),
    };
    let event_type = events.into_iter().next()?;
    let command = command_id(saga, step.as_str(), None, direction);
    let data = if direction == Direction::Forward { sample } else { Value::Null };
    // A sub-saga names the step, and not a command.
    let causation_id = (topic != sub_saga::TOPIC).then(|| command.as_uuid());
    Some(Reply {
        topic,
        event_id: Uuid::new_v5(&command.as_uuid(), format!("{try_number}/{event_type}").as_bytes()),
        event_type,
        event_version: 1,
        causation_id,
        answers_try: Some(try_number),
        aggregate_id: step.to_string(),
        data: with_key(specimen, data),
    })
}

/// The same event from somebody who sets none of our headers.
pub(crate) fn foreign(reply: Reply) -> Reply {
    let event_id = Uuid::new_v5(&reply.event_id, b"foreign");
    Reply { event_id, causation_id: None, answers_try: None, ..reply }
}

/// Events about a flow carry what identifies it: every scalar the flow began with.
fn with_key(specimen: &Specimen, data: Value) -> Value {
    let scalars = |value: &Value| value.is_string() || value.is_number();
    let start = specimen.start_data().as_object().cloned().unwrap_or_default();
    let mut fields: Map<String, Value> = start.into_iter().filter(|(_, value)| scalars(value)).collect();
    if let Value::Object(said) = data {
        fields.extend(said);
    }
    Value::Object(fields)
}

/// An event that takes a finished step back, if the definition knows one.
pub(crate) fn undone(specimen: &Specimen, saga: SagaId, step: &StepName) -> Option<Reply> {
    let expected = specimen.definition().expected_answers(step, Direction::Forward)?;
    let event_type = expected.undone.into_iter().next()?;
    Some(Reply {
        topic: expected.topic,
        event_id: Uuid::new_v5(&saga.as_uuid(), format!("{step}/{event_type}").as_bytes()),
        event_type,
        event_version: 1,
        causation_id: None,
        answers_try: None,
        aggregate_id: step.to_string(),
        data: with_key(specimen, specimen.answers(step.as_str()).undone),
    })
}

/// What a waiting step waits for, if it is one.
pub(crate) fn arrival(specimen: &Specimen, saga: SagaId, step: &StepName) -> Option<Input> {
    let definition = specimen.definition();
    let data = specimen.answers(step.as_str()).arrival;
    if let Some((_, name)) = definition.awaited_signals().find(|(waiting, _)| *waiting == step) {
        return Some(Input::Signal(Signal { name: name.to_owned(), data, by: By::who("ann") }));
    }
    let (_, topic, event_type) = definition.awaited_events().find(|(waiting, ..)| *waiting == step)?;
    Some(Input::Reply(Reply {
        topic: topic.to_owned(),
        event_type: event_type.to_owned(),
        event_version: 1,
        event_id: Uuid::new_v5(&saga.as_uuid(), format!("{step}/{event_type}").as_bytes()),
        causation_id: None,
        answers_try: None,
        aggregate_id: step.to_string(),
        data: with_key(specimen, data),
    }))
}
