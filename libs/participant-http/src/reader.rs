//! State as the event store has it: what queries answer from.

use std::sync::Arc;

use backstitch_event_store::{EventStore, ReadError, StoredEvent, StreamId, StreamVersion};
use backstitch_participant::{Participant, UnreadableEvent, shared_state_of, state_of};
use backstitch_service_kit::http::Problem;
use tokio::time::Instant;
use uuid::Uuid;

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

    /// Whose streams these are.
    pub const fn participant(&self) -> &P {
        &self.participant
    }

    /// An own stream's state; `None` if nothing of the service's own happened in it.
    ///
    /// # Errors
    /// A [`Problem`] if the store does not answer, or holds what this release does not understand.
    pub async fn state(&self, stream: &StreamId) -> Result<Option<P::State>, Problem> {
        state_of(&self.participant, &self.events(stream).await?).map_err(|error| unreadable(stream, error))
    }

    /// A shared stream's state; `None` if nothing happened in it.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub async fn shared(&self, stream: &StreamId) -> Result<Option<P::Shared>, Problem> {
        shared_state_of(&self.participant, &self.events(stream).await?).map_err(|error| unreadable(stream, error))
    }

    /// Waits until `message` has led to something in its own stream, were it only a note that it was answered, and tells
    /// the state then; `None` if nothing shows in time.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub async fn effect(
        &self,
        stream: &StreamId,
        message: Uuid,
        patience: Patience,
    ) -> Result<Option<P::State>, Problem> {
        let deadline = Instant::now() + patience.total();
        let mut pauses = patience.pauses();
        while Instant::now() < deadline {
            let events = self.events(stream).await?;
            if events.iter().any(|stored| stored.event.causation_id == Some(message)) {
                let state = state_of(&self.participant, &events).map_err(|error| unreadable(stream, error))?;
                return Ok(Some(state.unwrap_or_default()));
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + pauses.next())).await;
        }
        Ok(None)
    }

    async fn events(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, Problem> {
        self.store.load(stream, StreamVersion::default()).await.map_err(unavailable)
    }
}

fn unavailable(error: ReadError) -> Problem {
    tracing::warn!(error = format!("{:#}", anyhow::Error::new(error)), "the event store could not be read");
    Problem::unavailable("database_unavailable", "the database does not answer; ask again")
}

fn unreadable(stream: &StreamId, error: UnreadableEvent) -> Problem {
    Problem::internal(&anyhow::Error::new(error).context(format!("the stream `{stream}` cannot be read")))
}
