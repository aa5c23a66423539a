//! What a decision may look at. Separate, because it also sees to it that nothing else is looked at.

use std::cell::RefCell;
use std::collections::BTreeMap;

use backstitch_event_store::StreamId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Participant;
use crate::shared::{Shared, SharedStreams};

/// The world as a decision sees it.
pub struct View<'a, P: Participant + ?Sized> {
    /// The own stream's state.
    pub state: &'a P::State,
    /// The lane's clock, which is the database's; whole microseconds.
    pub now: DateTime<Utc>,
    /// Id of the command or event being decided: what a service derives ids of its own from.
    pub id: Uuid,
    /// Which try of the command this is, from 1.
    pub attempt: u32,
    pub(crate) shared: Glimpse<'a, P>,
}

impl<P: Participant + ?Sized> View<'_, P> {
    /// The state of a shared stream that [`Participant::shared_streams`] named. Looking at any other makes the input a
    /// dead letter, since its rows were not locked.
    #[must_use]
    pub fn shared(&self, stream: &StreamId) -> &P::Shared {
        self.shared.get(stream)
    }
}

/// Shared streams: as the batch found or left them, and as the decision in hand changes them.
pub(crate) struct Glimpse<'a, P: Participant + ?Sized> {
    pub(crate) changed: &'a BTreeMap<StreamId, Shared<P::Shared>>,
    pub(crate) streams: &'a SharedStreams<P::Shared>,
    pub(crate) undeclared: &'a RefCell<Option<StreamId>>,
}

impl<P: Participant + ?Sized> Glimpse<'_, P> {
    fn get(&self, stream: &StreamId) -> &P::Shared {
        let known = self.changed.get(stream).or_else(|| self.streams.get(stream));
        if let Some(shared) = known {
            return &shared.state;
        }
        self.undeclared.borrow_mut().get_or_insert_with(|| stream.clone());
        &self.streams.blank
    }
}
