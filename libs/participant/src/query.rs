//! A stream's state for whoever only looks: HTTP handlers, tools, tests. Separate from the lane's records, which also
//! remember how every command stands.

use backstitch_event_store::StoredEvent;

use crate::Participant;
use crate::event::UnreadableEvent;
use crate::record::{Entry, EntryOf, read_domain};

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
