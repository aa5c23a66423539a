//! What must be true once a run has settled. Each check looks at what is left on the broker and in the databases, and
//! knows nothing of how it came about.

mod books;
mod deadlines;
mod family;
mod journal;
mod limits;
mod sent;

use std::sync::Arc;

use backstitch_contracts::{Envelope, headers};
use backstitch_messaging::Delivery;
use backstitch_orchestrator::store::JournalRow;
use backstitch_saga::{Definition, Event, Fact, State, StepName};

use crate::cast::Cast;
use crate::postgres::{Postgres, Tables};
use crate::process::Stage;
use crate::script::Started;
use crate::world::lock;

/// A saga as its database leaves it.
struct Saga<'a> {
    started: &'a Started,
    definition: &'a Arc<Definition>,
    state: State,
    seq: i64,
    journal: Vec<Event>,
}

/// Everything that a check may look at.
struct Scene<'a> {
    stage: &'a Stage,
    cast: &'a Cast,
    sagas: Vec<Saga<'a>>,
}

/// All that is wrong, the most telling first.
pub(crate) fn problems(stage: &Stage, databases: &[Arc<Postgres>], started: &[Started]) -> Vec<String> {
    let mut problems: Vec<String> = lock(&stage.failures).iter().map(|failure| format!("panic: {failure}")).collect();
    for database in databases {
        let tables = lock(&database.tables);
        problems.extend(tables.zombies.iter().map(|zombie| format!("zombies: {zombie}")));
        problems.extend(tables.repeated.iter().map(|repeated| format!("repeated: {repeated}")));
        problems.extend(tables.drifted.iter().map(|drifted| format!("replay: {drifted}")));
    }
    let Some(own) = databases.first() else { return problems };
    let tables = lock(&own.tables);
    let mut scene = Scene { stage, cast: &stage.cast, sagas: Vec::new() };
    for started in started {
        match saga(stage, &tables, started) {
            Ok(saga) => scene.sagas.push(saga),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(scene.sagas.iter().filter_map(ends));
    problems.extend(journal::problems(&scene, &tables));
    problems.extend(scene.sagas.iter().filter_map(|saga| {
        let broken = backstitch_testkit::broken_law(saga.definition, &saga.journal)?;
        Some(format!("laws: {} {broken}", saga.started.id))
    }));
    problems.extend(deadlines::problems(&scene));
    problems.extend(limits::problems(&scene));
    problems.extend(sent::problems(&scene));
    problems.extend(dead_letters(&scene));
    drop(tables);
    problems.extend(family::problems(&scene));
    problems.extend(books::problems(&scene, databases));
    problems.extend(outboxes(databases));
    problems
}

fn saga<'a>(stage: &'a Stage, tables: &Tables, started: &'a Started) -> Result<Saga<'a>, String> {
    let id = started.id.as_uuid();
    let role = stage.cast.roles.get(started.role).ok_or("no role")?;
    let (_, row) = tables.sagas.get(&id).ok_or_else(|| format!("ends: the saga {id} was started and is unknown"))?;
    let rows = tables.journal.range((id, 0)..=(id, i64::MAX)).map(|(_, row)| row);
    let read = |row: &JournalRow| {
        serde_json::from_str(&row.data).map_err(|error| format!("journal: {id}#{} is unreadable: {error}", row.seq))
    };
    Ok(Saga {
        started,
        definition: &role.definition,
        state: serde_json::from_str(&row.state).map_err(|error| format!("ends: {id} has no state: {error}"))?,
        seq: row.seq,
        journal: rows.map(read).collect::<Result<_, _>>()?,
    })
}

/// Ended, or stuck for a reason: a definite no, which trying again does not change.
fn ends(saga: &Saga<'_>) -> Option<String> {
    let id = saga.started.id;
    let State::Stuck(stuck) = &saga.state else {
        let ended = saga.state.outcome().is_some();
        return (!ended).then(|| format!("ends: {id} is {}", saga.state.status()));
    };
    let refused = |event: &Event| match &event.fact {
        Fact::StepRefused { step, .. } | Fact::CompensationRefused { step, .. } => *step == stuck.step,
        _ => false,
    };
    let excused = saga.journal.iter().any(refused) && saga.state.reason().is_some_and(|reason| !reason.is_empty());
    (!excused).then(|| format!("ends: {id} is stuck at {}, which nobody has refused", stuck.step))
}

impl Scene<'_> {
    fn records(&self, topic: &str) -> Vec<Delivery> {
        self.stage.broker.records(topic)
    }

    fn read(&self, delivery: &Delivery) -> Option<Envelope> {
        self.cast.decoder.decode(delivery.topic(), delivery.value.as_deref()?).ok()
    }
}

fn dead_letters(scene: &Scene<'_>) -> Vec<String> {
    let topics = scene.cast.encoders.keys().map(|topic| format!("{topic}.dlq"));
    let letters = topics.flat_map(|topic| scene.records(&topic));
    letters
        .map(|letter| {
            let header = |name| letter.header_text(name).unwrap_or_default().to_owned();
            format!(
                "dead letters: {} {} {}",
                header(headers::CE_TYPE),
                header(headers::DLQ_REASON),
                header(headers::DLQ_ERROR)
            )
        })
        .collect()
}

fn outboxes(databases: &[Arc<Postgres>]) -> Vec<String> {
    let mut problems = Vec::new();
    for database in databases {
        let tables = lock(&database.tables);
        if let Some(((lane, seq), records)) = tables.outbox.iter().next() {
            let count = records.len();
            problems.push(format!("outbox: {} lane {lane} keeps {count} records of commit {seq}", database.name));
        }
    }
    problems
}

/// Whether the journal says that the step was done.
fn was_done(journal: &[Event], step: &StepName) -> bool {
    journal.iter().any(|event| matches!(&event.fact, Fact::StepSucceeded { step: done, .. } if done == step))
}
