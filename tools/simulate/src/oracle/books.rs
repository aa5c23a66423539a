//! The participants' books: what was done once was done once, what was rolled back is undone, and the sums are right.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstitch_event_store::{NewEvent, StreamId};
use backstitch_saga::{Fact, State};

use super::{Saga, Scene, was_done};
use crate::cast::Role;
use crate::participant::{DID, UNDID, line, of_line};
use crate::postgres::Postgres;
use crate::world::lock;

/// What one participant has done for one flow, by forward command and item.
type Books = BTreeMap<String, Entry>;

#[derive(Debug, Default)]
struct Entry {
    done: i64,
    undone: i64,
    /// Events by the commands behind them.
    by: BTreeMap<(String, String), i64>,
}

pub(super) fn problems(scene: &Scene<'_>, databases: &[Arc<Postgres>]) -> Vec<String> {
    let mut problems = Vec::new();
    for database in databases {
        problems.extend(sums(database));
    }
    for saga in &scene.sagas {
        let mut books = Books::new();
        for database in databases {
            let stream = StreamId::of("flow", &saga.started.key);
            let tables = lock(&database.tables);
            tables.streams.get(&stream).into_iter().flatten().for_each(|event| enter(&mut books, event));
        }
        let Some(role) = scene.cast.roles.get(saga.started.role) else { continue };
        for (command, entry) in &books {
            problems.extend(once(saga, command, entry));
            problems.extend(balanced(scene, role, saga, command, entry));
        }
        problems.extend(missing(role, saga, &books));
    }
    problems
}

fn enter(books: &mut Books, event: &NewEvent) {
    let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
    let entry = match event.event_type.as_str() {
        DID | UNDID => books.entry(text("command")).or_default(),
        _ => return,
    };
    *entry.by.entry((event.event_type.clone(), text("by"))).or_default() += 1;
    if event.event_type == DID { entry.done += 1 } else { entry.undone += 1 }
}

fn once(saga: &Saga<'_>, command: &str, entry: &Entry) -> Option<String> {
    let id = saga.started.id;
    let twice = entry.by.values().any(|times| *times > 1);
    if twice || !(0..=1).contains(&(entry.done - entry.undone)) {
        let (done, undone) = (entry.done, entry.undone);
        return Some(format!("at most once: {id} {command} was done {done} times and undone {undone} times"));
    }
    None
}

/// Nothing that can be undone is left after a rollback, and nothing is left that the saga does not know of.
fn balanced(scene: &Scene<'_>, role: &Role, saga: &Saga<'_>, line: &str, entry: &Entry) -> Option<String> {
    if entry.done == entry.undone {
        return None;
    }
    let id = saga.started.id;
    let (command, item) = of_line(line);
    let can_be_undone = scene.cast.can_be_undone(command);
    match &saga.state {
        State::RolledBack(_) if can_be_undone && !settled_by_hand(saga) => {
            Some(format!("books: {id} is rolled back, and {line} is not"))
        }
        State::Completed(_) => {
            let step = role.step_of(command)?;
            let step = item.map_or_else(|| step.clone(), |item| step.of_item(item));
            (can_be_undone && !was_done(&saga.journal, &step))
                .then(|| format!("books: {id} does not know that {line} was done"))
        }
        State::Refused(_) => Some(format!("books: {id} never started, and {line} was done")),
        _ => None,
    }
}

/// What a completed saga takes for done was done, for each item.
fn missing(role: &Role, saga: &Saga<'_>, books: &Books) -> Option<String> {
    if !matches!(saga.state, State::Completed(_)) {
        return None;
    }
    let id = saga.started.id;
    let lost = saga.journal.iter().find_map(|event| {
        let Fact::StepSucceeded { step, .. } = &event.fact else { return None };
        let line = line(role.command_of(step)?, step.item());
        books.get(&line).is_none_or(|entry| entry.done == 0).then_some(step)
    })?;
    Some(format!("books: {id} takes {lost} for done, and it was not"))
}

fn settled_by_hand(saga: &Saga<'_>) -> bool {
    saga.journal.iter().any(|event| matches!(event.fact, Fact::CompensationSkipped { .. }))
}

/// What flows have taken is what the shared stocks miss.
fn sums(database: &Postgres) -> Option<String> {
    let tables = lock(&database.tables);
    let sum = |category: &str| {
        let events = tables.streams.iter().filter(|(stream, _)| stream.category() == category).flat_map(|(_, all)| all);
        events
            .map(|event| match event.event_type.as_str() {
                DID => 1,
                UNDID => -1,
                _ => 0,
            })
            .sum::<i64>()
    };
    let shares = tables.streams.keys().any(|stream| stream.category() == "stock");
    let (flows, stocks) = (sum("flow"), sum("stock"));
    (shares && flows != stocks)
        .then(|| format!("books: flows of {} took {flows}, its stocks miss {stocks}", database.name))
}
