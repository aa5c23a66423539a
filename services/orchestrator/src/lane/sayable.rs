//! What a decision says, as records; what fits no schema is decided again without it, and the saga is then stuck there.
//! Separate from the lane, because only here an answer of the encoders leads back into the engine.

use backstitch_messaging::Record;
use backstitch_processor::chain;
use backstitch_saga::{Effect, Event, Fact, Unsendable};

use crate::outgoing::{About, Outgoing, OutgoingError};

/// Events, each with the records it obliges to.
pub(super) type Decided = Vec<(Event, Vec<Record>)>;

/// Why an event's records are not to be had.
enum Unsaid {
    /// A step's own words: without them the saga is stuck.
    ByStep(Unsendable, OutgoingError),
    /// What the saga as a whole says.
    Other(OutgoingError),
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
        match say(outgoing, about, decide(&unsendable), &react) {
            Ok(decided) => return Ok(decided),
            Err(Unsaid::Other(error)) => return Err(error),
            // An engine that says it all the same would be asked for ever.
            Err(Unsaid::ByStep(found, error)) if unsendable.contains(&found) => return Err(error),
            Err(Unsaid::ByStep(found, _)) => unsendable.push(found),
        }
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
        let records = react(&event).into_iter().map(|effect| record(outgoing, &effect, &about));
        let records = records.collect::<Result<_, _>>()?;
        Ok((event, records))
    });
    said.collect()
}

fn record(outgoing: &Outgoing, effect: &Effect, about: &About<'_>) -> Result<Record, Unsaid> {
    outgoing.effect(effect, about).map_err(|error| match effect.said_by() {
        Some((step, direction)) => {
            Unsaid::ByStep(Unsendable { step: step.clone(), direction, reason: chain(&error) }, error)
        }
        None => Unsaid::Other(error),
    })
}
