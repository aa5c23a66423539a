//! Commands to sagas on their way to `saga.commands`. Separate from the handlers, which know no bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::{Encoder, Envelope, Payload, headers, saga};
use backstitch_messaging::{PublishError, Publisher, Record};
use backstitch_service_kit::current_trace_headers;
use backstitch_service_kit::http::Caller;
use chrono::Utc;
use uuid::Uuid;

/// How long a caller waits for the broker. The producer itself never gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes commands to sagas; durable once it returns.
#[async_trait]
pub trait CommandSink: Send + Sync + 'static {
    /// Sends a command under the saga's key.
    ///
    /// # Errors
    /// [`SendCommandError`] if it can not be sent.
    async fn send(&self, saga_key: &str, command: Envelope) -> Result<(), SendCommandError>;
}

/// Why a command was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendCommandError {
    /// Its fields do not fit the schema.
    #[error("the command does not fit the schema of `{}`", saga::COMMANDS)]
    Encode(#[from] backstitch_contracts::EncodeError),
    /// The producer cannot take it.
    #[error("the command could not be published")]
    Publish(#[from] PublishError),
    /// The producer is gone.
    #[error("the producer ended before the command was durable")]
    Gone,
    /// The broker did not take it in time.
    #[error("the command is not durable after {} s; it may still be sent", PATIENCE.as_secs())]
    Late,
}

/// The real sink: encodes and publishes.
pub struct SagaCommands {
    publisher: Arc<dyn Publisher>,
    encoder: Encoder,
}

impl SagaCommands {
    /// A sink that encodes by the schema of `saga.commands`.
    pub fn new(publisher: Arc<dyn Publisher>, encoder: Encoder) -> Self {
        Self { publisher, encoder }
    }
}

#[async_trait]
impl CommandSink for SagaCommands {
    async fn send(&self, saga_key: &str, command: Envelope) -> Result<(), SendCommandError> {
        let value = self.encoder.encode(&command)?;
        let mut record = Record::new(saga::COMMANDS, saga_key, value)
            .header(headers::CE_SPECVERSION, "1.0")
            .header(headers::CE_ID, command.event_id.to_string())
            .header(headers::CE_TYPE, &command.event_type)
            .header(headers::CE_SOURCE, SOURCE)
            .header(headers::CE_TIME, command.occurred_at.to_rfc3339());
        for (name, value) in current_trace_headers() {
            record = record.header(name, value);
        }
        let published = self.publisher.publish(vec![record]).await?;
        let durable = tokio::time::timeout(PATIENCE, published).await.map_err(|_| SendCommandError::Late)?;
        Ok(durable.map_err(|_| SendCommandError::Gone)??)
    }
}

const SOURCE: &str = "orchestrator-api";

/// The envelope of a command that `caller` gives to a saga.
pub(super) fn envelope<T: Payload>(
    saga: Uuid,
    correlation_id: Uuid,
    caller: &Caller,
    reason: Option<&str>,
    payload: &T,
) -> Result<Envelope, backstitch_contracts::TypedError> {
    let mut metadata = BTreeMap::from([("source".to_owned(), SOURCE.to_owned())]);
    // Also where the command has no field for it.
    metadata.extend(reason.map(|reason| ("reason".to_owned(), reason.to_owned())));
    Envelope {
        event_id: Uuid::now_v7(),
        event_type: String::new(),
        event_version: 1,
        aggregate_id: saga.to_string(),
        aggregate_type: "Saga".to_owned(),
        occurred_at: Utc::now(),
        correlation_id,
        causation_id: None,
        user_id: Some(caller.name.to_string()),
        metadata,
        data: serde_json::Value::Null,
    }
    .with_data(payload)
}
