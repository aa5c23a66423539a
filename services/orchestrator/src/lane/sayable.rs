//! What a decision says, as records; what fits no schema is decided again without it, and the saga is then stuck there.
//! Separate from the lane, because only here an answer of the encoders leads back into the engine.

use backstitch_messaging::Record;
use backstitch_processor::chain;
use backstitch_saga::{Direction, Effect, Event, Fact, StepName, Unsendable};

use crate::outgoing::{About, Outgoing, OutgoingError};

/// Events, each with the records it obliges to.
pub(super) type Decided = Vec<(Event, Vec<Record>)>;

/// Why an event's records are not to be had.
struct Unsaid {
    /// The step whose own words these are; without them the saga is stuck there. Absent for what the saga as a whole says.
    by: Option<(StepName, Direction)>,
    error: Box<OutgoingError>,
}

/// What follows, as the lane can say it. `decide` knows what cannot be sent; it is asked again until everything can.
///
/// # Errors
/// [`OutgoingError`] for what no step says.
pub(super) fn decide(
    outgoing: &Outgoing,
    about: &About<'_>,
    decide: impl Fn(&[Unsendable]) -> Vec<Event>,
    react: impl Fn(&Event) -> Vec<Effect>,
) -> Result<Decided, OutgoingError> {
    let mut unsendable: Vec<Unsendable> = Vec::new();
    loop {
        let Unsaid { by, error } = match say(outgoing, about, decide(&unsendable), &react) {
            Ok(decided) => return Ok(decided),
            Err(unsaid) => unsaid,
        };
        let Some((step, direction)) = by else { return Err(*error) };
        // An engine that says it all the same would be asked for ever.
        if unsendable.iter().any(|known| known.step == step && known.direction == direction) {
            return Err(*error);
        }
        unsendable.push(Unsendable { step, direction, reason: chain(&*error) });
    }
}

fn say(
    outgoing: &Outgoing,
    about: &About<'_>,
    events: Vec<Event>,
    react: impl Fn(&Event) -> Vec<Effect>,
) -> Result<Decided, Unsaid> {
    // A cancel that came before the start knew neither flow nor user.
    let started = events.iter().find_map(|event| match &event.fact {
        Fact::SagaStarted(started) => Some((started.correlation_id, started.user_id.clone())),
        _ => None,
    });
    let about = match &started {
        Some((correlation_id, user_id)) => {
            About { correlation_id: *correlation_id, user_id: user_id.as_deref(), ..*about }
        }
        None => About { ..*about },
    };
    let said = events.into_iter().map(|event| {
        let records = react(&event).into_iter().map(|effect| record(outgoing, effect, &about));
        let records = records.collect::<Result<_, _>>()?;
        Ok((event, records))
    });
    said.collect()
}

fn record(outgoing: &Outgoing, effect: Effect, about: &About<'_>) -> Result<Record, Unsaid> {
    let by = effect.said_by().map(|(step, direction)| (step.clone(), direction));
    outgoing.effect(effect, about).map_err(|error| Unsaid { by, error: Box::new(error) })
}
