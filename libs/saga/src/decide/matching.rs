//! What an event means to a saga: an answer, something taken back, something awaited, or nothing.
//!
//! Separate because this is where foreign participants, duplicates and latecomers are told apart, in three stages:
//! the command it names; else its type and key, if exactly one open step expects it; else nothing.

use uuid::Uuid;

use super::draft::{Draft, facts};
use crate::definition::plan::{Ask, EventMatch, WaitSource};
use crate::expression::{EvaluationError, Expression, Facts};
use crate::ids::{Direction, StepName, command_id};
use crate::input::Reply;
use crate::state::{How, Open, Saga};
use crate::sub_saga;

/// What an event means.
pub(super) enum Meaning<'d> {
    /// It answers what is under way in this step.
    Answer { step: StepName, ask: &'d Ask },
    /// It takes this finished step back.
    Undone { step: StepName },
    /// It is what this step waits for, or will wait for.
    Arrival { step: StepName },
    /// Nothing, or nothing any more.
    Nothing,
}

/// What `reply` means to the saga as it stands.
pub(super) fn meaning<'d>(draft: &Draft<'d>, reply: &Reply) -> Meaning<'d> {
    let Some((saga, direction)) = draft.state().saga().zip(draft.state().direction()) else {
        return Meaning::Nothing;
    };
    if reply.topic == sub_saga::TOPIC {
        return answer_of_sub_saga(draft, reply);
    }
    let author = reply.causation_id.and_then(|causation| author(draft, saga, causation));
    if let Some((step, author_direction)) = &author
        && *author_direction == direction
        && draft.find_asked(step).is_some()
        && let Some(ask) = draft.ask_of(step).filter(|ask| ask.answers_on == reply.topic && mentions(ask, reply))
    {
        return Meaning::Answer { step: step.clone(), ask };
    }
    if author.is_none()
        && let Some((step, ask)) = only_expectation(draft, reply)
    {
        return Meaning::Answer { step, ask };
    }
    match direction {
        Direction::Forward => something_else(draft, saga, author.as_ref(), reply),
        Direction::Compensate => Meaning::Nothing,
    }
}

/// A sub-saga names the step that started it. It says what it is, whichever command it was asked by.
fn answer_of_sub_saga<'d>(draft: &Draft<'d>, reply: &Reply) -> Meaning<'d> {
    let step = StepName::from(reply.aggregate_id.as_str());
    let ask = draft.find_asked(&step).and_then(|_| draft.ask_of(&step));
    let ask = ask.filter(|ask| ask.answers_on == reply.topic && mentions(ask, reply));
    ask.map_or(Meaning::Nothing, |ask| Meaning::Answer { step, ask })
}

/// The step and direction whose command this is, if it is one of this saga's.
fn author(draft: &Draft<'_>, saga: &Saga, causation: Uuid) -> Option<(StepName, Direction)> {
    let open = draft.state().open().iter().map(|open| open.step.clone());
    let steps = open.chain(draft.definition.commands_of(saga));
    let mut commands = steps.flat_map(|step| [(step.clone(), Direction::Forward), (step, Direction::Compensate)]);
    commands.find(|(step, direction)| command_id(saga.id, step.as_str(), None, *direction).as_uuid() == causation)
}

/// The open step that expects such an event, if there is exactly one; of several, the one whose conditions it meets.
/// Which item of a list it is about, only a condition can tell: else a repetition would answer for the next one.
fn only_expectation<'d>(draft: &Draft<'d>, reply: &Reply) -> Option<(StepName, &'d Ask)> {
    let expecting = draft.state().open().iter().filter(|open| open.was_asked()).filter_map(|open| {
        let ask = draft.ask_of(&open.step)?;
        let expected =
            ask.answers_on == reply.topic && mentions(ask, reply) && about_us(draft, ask.key.as_deref(), reply);
        expected.then(|| (open.step.clone(), ask))
    });
    let mut expecting: Vec<_> = expecting.collect();
    expecting.retain(|(step, ask)| step.item().is_none() || meets_a_condition(draft, step, ask, reply));
    if expecting.len() > 1 {
        expecting.retain(|(step, ask)| meets_a_condition(draft, step, ask, reply));
    }
    let only = expecting.pop()?;
    expecting.is_empty().then_some(only)
}

fn expected(ask: &Ask) -> impl Iterator<Item = &EventMatch> {
    ask.done.iter().chain(&ask.refused).chain(&ask.retry)
}

fn mentions(ask: &Ask, reply: &Reply) -> bool {
    expected(ask).any(|event| event.event == reply.event_type)
}

fn meets_a_condition(draft: &Draft<'_>, step: &StepName, ask: &Ask, reply: &Reply) -> bool {
    let mut wanted = expected(ask).filter(|event| event.event == reply.event_type);
    wanted.any(|event| tells_the_item(step, event) && holds(draft, step, event, reply).unwrap_or(false))
}

pub(super) fn about_us(draft: &Draft<'_>, key: Option<&Expression>, reply: &Reply) -> bool {
    let facts = Facts { event: Some(&reply.data), ..Facts::default() };
    let key = key.and_then(|key| key.key(&facts).ok());
    key.is_some_and(|key| draft.state().known_saga().is_some_and(|saga| saga.key == key))
}

fn something_else(
    draft: &Draft<'_>,
    saga: &Saga,
    author: Option<&(StepName, Direction)>,
    reply: &Reply,
) -> Meaning<'static> {
    let undone = saga.passed.iter().filter(|passed| passed.how == How::Done).map(|passed| &passed.step);
    let mut undone = undone.filter(|step| author.is_none_or(|author| *author == ((*step).clone(), Direction::Forward)));
    if let Some(step) = undone.find(|step| takes_back(draft, step, author.is_some(), reply)) {
        return Meaning::Undone { step: step.clone() };
    }
    let waits = draft.definition.steps().iter().filter(|step| step.action.wait().is_some());
    let mut waits =
        waits.map(|step| &step.name).filter(|step| !draft.has_passed(step) && !saga.early.contains_key(*step));
    match waits.find(|step| is_awaited(draft, step, reply)) {
        Some(step) => Meaning::Arrival { step: step.clone() },
        None => Meaning::Nothing,
    }
}

/// Whether an event that names no command can be told to be about this item and no other.
fn tells_the_item(step: &StepName, event: &EventMatch) -> bool {
    let names = |when: &Expression| when.references().reads("item") || when.references().reads("index");
    step.item().is_none() || event.when.as_ref().is_some_and(names)
}

fn takes_back(draft: &Draft<'_>, step: &StepName, is_named: bool, reply: &Reply) -> bool {
    let Some(command) = draft.command_of(step).filter(|command| command.ask.answers_on == reply.topic) else {
        return false;
    };
    let mut candidates = command.undone.iter().filter(|undone| undone.event.event == reply.event_type);
    candidates.any(|undone| {
        let still = undone.until.as_ref().is_none_or(|until| !draft.has_passed(&beside(draft, step, until)));
        still
            && (is_named || tells_the_item(step, &undone.event))
            && about_us(draft, command.ask.key.as_deref(), reply)
            && holds(draft, step, &undone.event, reply).unwrap_or(false)
    })
}

/// The step of this name, for the same item if it is done for each.
fn beside(draft: &Draft<'_>, step: &StepName, other: &StepName) -> StepName {
    let of_each = draft.definition.step(other).is_some_and(|other| other.each.is_some());
    step.item().filter(|_| of_each).map_or_else(|| other.clone(), |item| other.of_item(item))
}

fn is_awaited(draft: &Draft<'_>, step: &StepName, reply: &Reply) -> bool {
    match draft.wait_of(step).map(|wait| &wait.source) {
        Some(WaitSource::Event { topic, event, key }) => {
            *topic == reply.topic
                && event.event == reply.event_type
                && about_us(draft, key.as_deref(), reply)
                && holds(draft, step, event, reply).unwrap_or(false)
        }
        Some(WaitSource::Signal(_)) | None => false,
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    Refused,
    AskAgain,
    /// An older try's answer, or one whose condition does not hold.
    Nothing,
}

/// What `reply` says about the command under way.
pub(super) fn verdict(draft: &Draft<'_>, open: &Open, ask: &Ask, reply: &Reply) -> Result<Verdict, EvaluationError> {
    let any = |events: &[EventMatch]| {
        let mut wanted = events.iter().filter(|event| event.event == reply.event_type);
        wanted.try_fold(false, |found, event| Ok(found || holds(draft, &open.step, event, reply)?))
    };
    if any(&ask.retry)? {
        return Ok(if is_of_this_try(open, reply) { Verdict::AskAgain } else { Verdict::Nothing });
    }
    if any(&ask.refused)? {
        return Ok(Verdict::Refused);
    }
    Ok(if any(&ask.done)? { Verdict::Done } else { Verdict::Nothing })
}

/// Retryable answers of older tries say nothing new.
fn is_of_this_try(open: &Open, reply: &Reply) -> bool {
    let already_heard = open.heard.contains(&reply.event_id) || open.raises_try();
    !already_heard && reply.answers_try.is_none_or(|answered| answered >= open.try_number)
}

pub(super) fn holds(
    draft: &Draft<'_>,
    step: &StepName,
    event: &EventMatch,
    reply: &Reply,
) -> Result<bool, EvaluationError> {
    let (Some(when), Some(saga)) = (&event.when, draft.state().known_saga()) else { return Ok(true) };
    when.holds(&facts(draft.definition, saga, step, Some(&reply.data), None))
}
