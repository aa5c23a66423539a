//! What must be true of every journal, however the story went.
//!
//! Separate because stories, exhaustive walks and random walks all check the same.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_saga::{Definition, Direction, Event, Fact, Request, State, StepName, SubSagaAnswer};

use crate::story::Story;

/// State and journal come out of their stored formats as they went in.
pub(crate) fn survives_its_formats(events: &[Event], state: &State) {
    let text = serde_json::to_string(state).unwrap_or_else(|error| panic!("{error}: {state:?}"));
    let read: State = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&read, state, "the stored state reads back differently");
    for event in events {
        let text = serde_json::to_string(event).unwrap_or_else(|error| panic!("{error}: {event:?}"));
        let read: Event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(&read, event, "the stored journal entry reads back differently");
        let record = event.to_record().unwrap_or_else(|error| panic!("{error}: {event:?}"));
        let read = Event::from_record(event.kind(), &record).unwrap_or_else(|error| panic!("{error}: {record}"));
        assert_eq!(&read, event, "the published journal entry reads back differently");
    }
}

/// Everything that must be true of a story, whether it has ended or not. `describe` says how the story went.
pub(crate) fn check(story: &Story, describe: &dyn Fn() -> String) {
    let fail = |what: &str| -> ! { panic!("{what}\n{}\n{}", describe(), journal_text(&story.journal)) };
    let folded = story.journal.iter().fold(State::NotStarted, backstitch_saga::evolve);
    if folded != story.state {
        fail("the journal does not fold to the state");
    }
    if let Some(problem) = problem(story) {
        fail(&problem);
    }
}

fn problem(story: &Story) -> Option<String> {
    let definition = story.specimen.definition();
    ids_are_one_per_step_and_direction(story)
        .or_else(|| broken_law(definition, &story.journal))
        .or_else(|| a_parent_knows_how_it_ended(story))
}

/// The first law that a saga's journal breaks, if it breaks one: for whoever has journals of their own to check.
#[must_use]
pub fn broken_law(definition: &Definition, journal: &[Event]) -> Option<String> {
    tries_follow_answers(journal)
        .or_else(|| compensates_only_what_may_have_happened(journal))
        .or_else(|| nothing_after_the_pivot_is_undone(definition, journal))
        .or_else(|| everything_done_is_undone(definition, journal))
        .or_else(|| undone_in_reverse(definition, journal))
        .or_else(|| limits_are_kept(definition, journal))
}

/// Whoever has limits is asked once for each turn, and nobody else waits for turns.
fn limits_are_kept(definition: &Definition, journal: &[Event]) -> Option<String> {
    let mut turns = BTreeSet::new();
    for event in journal {
        let (request, direction) = match &event.fact {
            Fact::StepQueued { step, direction, participant, .. } => {
                if definition.asks_at(step, *direction) != Some(participant) {
                    return Some(format!("{step} waits for a turn at {participant}, which it does not ask"));
                }
                turns.insert((step.clone(), *direction));
                continue;
            }
            Fact::StepRequested(request) => (request, Direction::Forward),
            Fact::CompensationRequested(request) => (request, Direction::Compensate),
            _ => continue,
        };
        let limited = definition.asks_at(&request.step, direction);
        let limited = limited.is_some_and(|topic| definition.limits().contains_key(topic));
        if turns.remove(&(request.step.clone(), direction)) != limited {
            return Some(format!("{} was asked {}", request.step, if limited { "out of turn" } else { "in a queue" }));
        }
    }
    None
}

/// Whoever started a sub-saga was told how it ended, and nothing else last.
fn a_parent_knows_how_it_ended(story: &Story) -> Option<String> {
    let ended = match &story.state {
        State::Completed(_) => SubSagaAnswer::Completed,
        State::RolledBack(_) => SubSagaAnswer::RolledBack,
        _ => return None,
    };
    let parent = story.specimen.parent()?;
    let told = story.journal.iter().rev().find_map(|event| match &event.fact {
        Fact::ParentTold { parent: told, answer, .. } if told == parent => Some(*answer),
        _ => None,
    });
    let refused = story.journal.iter().any(|event| event.kind() == "CancelRefused");
    (told != Some(ended) && !refused).then(|| format!("the parent was told {told:?} of a saga that is {ended:?}"))
}

fn ids_are_one_per_step_and_direction(story: &Story) -> Option<String> {
    let mut ids = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for command in &story.sent {
        let owner = (command.step.clone(), command.direction);
        let id = *ids.entry(owner.clone()).or_insert(command.id);
        let known_owner = owners.entry(command.id).or_insert_with(|| owner.clone());
        if id != command.id || *known_owner != owner {
            return Some(format!("{} {} has two command ids, or shares one", command.step, command.direction));
        }
    }
    None
}

/// After silence the try stays; after a retryable answer, or a person's retry of a no, it rises by one.
fn tries_follow_answers(journal: &[Event]) -> Option<String> {
    let mut tries: BTreeMap<(StepName, Direction), (u32, u32, bool)> = BTreeMap::new();
    for event in journal {
        let (request, direction) = match &event.fact {
            Fact::StepRequested(request) => (request, Direction::Forward),
            Fact::CompensationRequested(request) => (request, Direction::Compensate),
            Fact::RetryScheduled { step, direction, answer: Some(_), .. } => {
                raise(&mut tries, step, *direction);
                continue;
            }
            Fact::StepRefused { step, .. } => {
                raise(&mut tries, step, Direction::Forward);
                continue;
            }
            Fact::CompensationRefused { step, .. } => {
                raise(&mut tries, step, Direction::Compensate);
                continue;
            }
            _ => continue,
        };
        let known = tries.insert((request.step.clone(), direction), (request.attempt, request.try_number, false));
        if let Some(problem) = wrong_try(request, known) {
            return Some(problem);
        }
    }
    None
}

fn raise(tries: &mut BTreeMap<(StepName, Direction), (u32, u32, bool)>, step: &StepName, direction: Direction) {
    if let Some(known) = tries.get_mut(&(step.clone(), direction)) {
        known.2 = true;
    }
}

fn wrong_try(request: &Request, known: Option<(u32, u32, bool)>) -> Option<String> {
    let expected = known.map_or((1, 1), |(attempt, tried, raised)| (attempt + 1, tried + u32::from(raised)));
    let actual = (request.attempt, request.try_number);
    (actual != expected).then(|| format!("{}: attempt and try are {actual:?} and should be {expected:?}", request.step))
}

fn compensates_only_what_may_have_happened(journal: &[Event]) -> Option<String> {
    let mut asked = vec![StepName::start()];
    for event in journal {
        match &event.fact {
            Fact::StepRequested(request) => asked.push(request.step.clone()),
            Fact::CompensationRequested(request) if !asked.contains(&request.step) => {
                return Some(format!("{} is compensated and was never asked for", request.step));
            }
            _ => {}
        }
    }
    None
}

fn nothing_after_the_pivot_is_undone(definition: &Definition, journal: &[Event]) -> Option<String> {
    let mut passed = false;
    for event in journal {
        match &event.fact {
            Fact::StepSucceeded { step, .. } if definition.is_pivot_step(step) => passed = true,
            Fact::RollbackStarted { .. } if passed => return Some("rolled back after the pivot".to_owned()),
            _ => {}
        }
    }
    None
}

/// Steps are undone in reverse order of completion, step 0 last; unless the definition lets a group do otherwise.
fn undone_in_reverse(definition: &Definition, journal: &[Event]) -> Option<String> {
    if definition.to_canonical_json().contains(r#""roll_back":"together""#) {
        return None;
    }
    let mut done = vec![StepName::start()];
    let mut last = usize::MAX;
    for event in journal {
        match &event.fact {
            Fact::StepSucceeded { step, .. } => done.push(step.clone()),
            Fact::CompensationRequested(request) if request.attempt == 1 => {
                // What never answered comes first, so it has no place among the completed.
                let place = done.iter().position(|step| *step == request.step).unwrap_or(usize::MAX);
                if place > last {
                    return Some(format!("{} is undone after what was done before it", request.step));
                }
                last = place;
            }
            _ => {}
        }
    }
    None
}

/// What is known of a step while reading a journal.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    may_have_happened: bool,
    done: bool,
    silent: bool,
    undone: bool,
}

/// Once rolled back, everything that was or may have been done is undone, and what was refused is left alone.
fn everything_done_is_undone(definition: &Definition, journal: &[Event]) -> Option<String> {
    let mut steps: BTreeMap<StepName, Step> = BTreeMap::new();
    for event in journal {
        note(&mut steps, &event.fact);
    }
    let rolled_back = journal.iter().any(|event| matches!(event.fact, Fact::SagaRolledBack { .. }));
    steps.into_iter().find_map(|(name, step)| {
        let can_be = definition.expected_answers(&name, Direction::Compensate).is_some();
        let can_be = can_be && !(step.done && definition.stays_when_done(&name));
        if rolled_back && can_be && step.may_have_happened && !step.undone {
            return Some(format!("{name} may have happened and was not undone"));
        }
        let asks = |event: &Event| matches!(&event.fact, Fact::CompensationRequested(asked) if asked.step == name);
        let asked = journal.iter().any(asks);
        (asked && !step.may_have_happened).then(|| format!("{name} was refused and yet undone"))
    })
}

fn note(steps: &mut BTreeMap<StepName, Step>, fact: &Fact) {
    match fact {
        Fact::StepRequested(request) => steps.entry(request.step.clone()).or_default().may_have_happened = true,
        Fact::StepSucceeded { step, .. } => steps.entry(step.clone()).or_default().done = true,
        Fact::StepTimedOut { step, direction: Direction::Forward, .. } => {
            steps.entry(step.clone()).or_default().silent = true;
        }
        Fact::StepRefused { step, .. } => {
            let step = steps.entry(step.clone()).or_default();
            step.may_have_happened = step.silent;
        }
        Fact::StepUndone { step, .. }
        | Fact::CompensationSucceeded { step, .. }
        | Fact::CompensationSkipped { step, .. } => {
            steps.entry(step.clone()).or_default().undone = true;
        }
        Fact::SagaStarted(started) => {
            // Somebody who asks for a saga by name has announced nothing that could be undone.
            let start = Step { may_have_happened: started.started_by.is_some(), ..Step::default() };
            steps.insert(StepName::start(), start);
        }
        _ => {}
    }
}

/// A journal as text, for failures.
pub(crate) fn journal_text(journal: &[Event]) -> String {
    let lines = journal.iter().enumerate().map(|(sequence, event)| {
        let text = serde_json::to_string(&event.fact).unwrap_or_default();
        format!("{:>3} {} {}", sequence + 1, event.at.as_micros(), text.chars().take(160).collect::<String>())
    });
    lines.collect::<Vec<_>>().join("\n")
}
