//! What is known about a command's events besides what they tell. Separate from commands, which say only what happens.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::data::{DataError, EventData};
use crate::{NewEvent, StreamId};

/// The flow that a command belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The command: its events' ids derive from it, so that it is executed once however often it is sent.
    pub command_id: Uuid,
    /// The flow it belongs to.
    pub correlation_id: Uuid,
    /// On whose behalf.
    pub user_id: Option<String>,
    /// Whatever else is to be known: an object.
    pub metadata: Value,
}

impl Flow {
    /// A flow that begins with this command.
    #[must_use]
    pub fn begun_by(command_id: Uuid) -> Self {
        Self { command_id, correlation_id: command_id, user_id: None, metadata: json!({}) }
    }

    /// A command within a flow.
    #[must_use]
    pub fn within(correlation_id: Uuid, command_id: Uuid) -> Self {
        Self { correlation_id, ..Self::begun_by(command_id) }
    }

    /// On behalf of `user`.
    #[must_use]
    pub fn for_user(mut self, user: impl Into<String>) -> Self {
        self.user_id = Some(user.into());
        self
    }

    /// The id of the command's event number `nth`, from 0.
    #[must_use]
    pub fn event_id(&self, nth: usize) -> Uuid {
        Uuid::new_v5(&self.command_id, format!("event {nth}").as_bytes())
    }

    /// The command's event number `nth`, as it is stored.
    ///
    /// # Errors
    /// See [`EventData::to_stored`].
    pub fn event<E: EventData>(
        &self,
        nth: usize,
        stream: &StreamId,
        event: &E,
        occurred_at: DateTime<Utc>,
    ) -> Result<NewEvent, DataError> {
        let (event_type, data) = event.to_stored()?;
        Ok(NewEvent {
            event_id: self.event_id(nth),
            event_type,
            event_version: event.event_version(),
            aggregate_type: stream.category().to_owned(),
            occurred_at,
            correlation_id: self.correlation_id,
            causation_id: Some(self.command_id),
            user_id: self.user_id.clone(),
            data,
            metadata: self.metadata.clone(),
        })
    }
}
