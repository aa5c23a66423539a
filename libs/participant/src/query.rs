//! A stream's state for whoever only looks: HTTP handlers, tools, tests. Separate from the lane's records, which also
//! remember how every command stands.

use backstitch_contracts::Envelope;
use backstitch_event_store::StoredEvent;
use serde::Deserialize as _;

use crate::event::UnreadableEvent;
use crate::note::Marks;
use crate::publish::envelope_of;
use crate::record::{Entry, EntryOf, read_domain};
use crate::{DomainEvent as _, Participant, Visibility};

/// The state of an own stream, from all its events; `None` without any event of the service's (the library's do not
/// count).
///
/// # Errors
/// [`UnreadableEvent`]: one that this release does not understand.
pub fn state_of<P: Participant>(participant: &P, events: &[StoredEvent]) -> Result<Option<P::State>, UnreadableEvent> {
    let mut state = None;
    for stored in events {
        let entry: EntryOf<P> = Entry::read(&stored.event)?;
        if let Entry::Domain(event) = entry {
            participant.evolve(state.get_or_insert_default(), &event);
        }
    }
    Ok(state)
}

/// The state of a shared stream, from all its events; `None` without any.
///
/// # Errors
/// [`UnreadableEvent`]: one that this release does not understand.
pub fn shared_state_of<P: Participant>(
    participant: &P,
    events: &[StoredEvent],
) -> Result<Option<P::Shared>, UnreadableEvent> {
    let mut state = None;
    for stored in events {
        participant.evolve_shared(state.get_or_insert_default(), &read_domain(&stored.event)?);
    }
    Ok(state)
}

/// A stored event as the service's topic has it, for readers of the store; `None` for what is not published: the service's
/// private events, those of shared streams, and the library's own. What this release does not understand is taken for
/// published, so that its reader says so.
#[must_use]
pub fn published<P: Participant>(stored: &StoredEvent) -> Option<Envelope> {
    let entry: Result<EntryOf<P>, _> = Entry::read(&stored.event);
    let is_told = match entry {
        Ok(Entry::Domain(event)) => event.visibility() == Visibility::Published,
        Ok(Entry::Note(_)) => false,
        Err(_) => true,
    };
    let marks = Marks::deserialize(&stored.event.metadata).ok();
    is_told.then(|| envelope_of(&stored.stream, stored.version, &stored.event, marks.as_ref()))
}
