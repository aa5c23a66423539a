//! State as the event store has it: what queries answer from.

use std::sync::Arc;

use backstitch_event_store::{EventStore, ReadError, StreamId, StreamVersion};
use backstitch_participant::Participant;
use backstitch_service_kit::http::Problem;
use tokio::time::Instant;
use uuid::Uuid;

use crate::History;
use crate::wait::Patience;

/// Reads a participant's streams.
pub struct Reader<P> {
    participant: P,
    store: Arc<dyn EventStore>,
}

impl<P: Participant> Reader<P> {
    /// Over a store.
    pub fn new(participant: P, store: Arc<dyn EventStore>) -> Self {
        Self { participant, store }
    }

    /// What happened in a stream; empty if there is none.
    ///
    /// # Errors
    /// A [`Problem`] if the store does not answer, or what it holds is not understood.
    pub async fn history(&self, stream: &StreamId) -> Result<History<P::Event>, Problem> {
        let stored = self.store.load(stream, StreamVersion::default()).await.map_err(unavailable)?;
        History::read(stored).map_err(|error| Problem::internal(&error.into()))
    }

    /// An own stream's state; `None` if nothing happened in it.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn state(&self, stream: &StreamId) -> Result<Option<P::State>, Problem> {
        let history = self.history(stream).await?;
        Ok((!history.is_empty()).then(|| self.fold(&history)))
    }

    /// A shared stream's state; `None` if nothing happened in it.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn shared(&self, stream: &StreamId) -> Result<Option<P::Shared>, Problem> {
        let history = self.history(stream).await?;
        let fold = |mut shared: P::Shared, event: &P::Event| {
            self.participant.evolve_shared(&mut shared, event);
            shared
        };
        Ok((!history.is_empty()).then(|| history.events().iter().fold(P::Shared::default(), fold)))
    }

    /// Waits until `message` has led to something in its own stream, and answers the state then; `None` if nothing shows
    /// in time.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn effect(
        &self,
        stream: &StreamId,
        message: Uuid,
        patience: Patience,
    ) -> Result<Option<P::State>, Problem> {
        let deadline = Instant::now() + patience.total();
        let mut pauses = patience.pauses();
        while Instant::now() < deadline {
            let history = self.history(stream).await?;
            if history.shows(message) {
                return Ok(Some(self.fold(&history)));
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + pauses.next())).await;
        }
        Ok(None)
    }

    fn fold(&self, history: &History<P::Event>) -> P::State {
        history.events().iter().fold(P::State::default(), |mut state, event| {
            self.participant.evolve(&mut state, event);
            state
        })
    }
}

fn unavailable(error: ReadError) -> Problem {
    tracing::warn!(error = %anyhow::Error::new(error), "the event store could not be read");
    Problem::unavailable("database_unavailable", "the database does not answer; ask again")
}
