//! What a command would lead to, asked of the engine itself. Separate, so that the API has no rules of its own about
//! which command fits which state.

use backstitch_saga::{Definition, Event, Input, State, decide};
use backstitch_service_kit::http::Problem;
use chrono::Utc;

use super::query::{self, SagaWithState};
use super::{Api, database};
use crate::time::timestamp;

/// Answers 409 if the command would lead to nothing in the saga's present state.
///
/// The saga may move before the command arrives: its lane decides again, and only that counts.
pub(super) async fn applies(api: &Api, saga: &SagaWithState, input: &Input) -> Result<(), Problem> {
    let Some(definition) = definition(api, &saga.summary.definition_hash).await? else { return Ok(()) };
    if definition.observes().is_some() && steers(input) {
        return Err(only_observes(saga, input));
    }
    let Ok(state) = serde_json::from_value::<State>(saga.state.clone()) else { return Ok(()) };
    let events: Vec<Event> = decide(&definition, &state, input, timestamp(Utc::now()));
    if events.is_empty() { Err(not_now(saga, input)) } else { Ok(()) }
}

/// What would change what participants do; settling and giving up concern the journal alone.
const fn steers(input: &Input) -> bool {
    !matches!(input, Input::Skip { .. } | Input::Abandon { .. })
}

fn only_observes(saga: &SagaWithState, input: &Input) -> Problem {
    let kind = input.kind().to_lowercase();
    let detail = format!("the saga only observes, and {kind} would steer it: ask those who take part in the flow");
    Problem::conflict("saga_only_observes", detail).with("status", saga.summary.status.clone())
}

fn not_now(saga: &SagaWithState, input: &Input) -> Problem {
    let (status, kind) = (&saga.summary.status, input.kind().to_lowercase());
    let detail = format!("the saga is {}; {kind} does nothing in that state", status.replace('_', " "));
    Problem::conflict("state_conflict", detail).with("status", status.clone())
}

/// The definition with this hash, ready to run; nothing where there is none, or this release cannot run it.
pub(super) async fn definition(api: &Api, hash: &str) -> Result<Option<Definition>, Problem> {
    let row = query::definition(&api.db, hash).await.map_err(database)?;
    Ok(row.and_then(|row| Definition::from_canonical_json(&row.body.0.to_string()).ok()))
}
