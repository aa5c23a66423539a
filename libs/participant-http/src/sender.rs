//! Messages on their way to a topic. Separate from the handlers, which know no bytes.

use std::collections::HashMap;
use std::sync::Arc;

use backstitch_contracts::{EncodeError, Encoder, Envelope, Payload, TypedError, headers};
use backstitch_messaging::{PublishError, Publisher, Record};
use backstitch_service_kit::http::Problem;
use chrono::{SecondsFormat, SubsecRound as _, Utc};
use serde_json::Value;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

/// Sends what callers ask for.
pub struct Sender {
    source: String,
    publisher: Arc<dyn Publisher>,
    encoders: HashMap<&'static str, Encoder>,
}

/// A message to be sent.
#[derive(Debug)]
pub struct Letter<'a, T> {
    /// Its id: derived, where the caller may ask twice.
    pub id: Uuid,
    /// What kind of thing it is about.
    pub aggregate_type: &'static str,
    /// Which one; also the record's key.
    pub aggregate_id: String,
    /// Names the flow.
    pub correlation_id: Uuid,
    /// Who asks.
    pub user_id: &'a str,
    /// What it says.
    pub payload: &'a T,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nobody gave the door an encoder for the topic.
    #[error("there is no encoder for `{topic}`")]
    NoEncoder {
        /// The topic.
        topic: &'static str,
    },
    /// It has no JSON form.
    #[error("the message cannot be written")]
    Write(#[from] TypedError),
    /// Its fields do not fit the schema.
    #[error("the message does not fit its schema")]
    Encode(#[from] EncodeError),
    /// The producer cannot take it.
    #[error("the message could not be published")]
    Publish(#[from] PublishError),
    /// The producer is gone.
    #[error("the producer ended before the message was durable")]
    Gone,
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        Self::internal(&error.into())
    }
}

impl Sender {
    /// Of `source`, by these encoders, one for each topic that is sent to.
    pub fn new(
        source: impl Into<String>,
        publisher: Arc<dyn Publisher>,
        encoders: impl IntoIterator<Item = (&'static str, Encoder)>,
    ) -> Self {
        Self { source: source.into(), publisher, encoders: encoders.into_iter().collect() }
    }

    /// Sends; durable once it returns.
    ///
    /// # Errors
    /// [`SendError`] if it can never be sent. While the broker is away, it waits.
    pub async fn send<T: Payload>(&self, letter: Letter<'_, T>) -> Result<(), SendError> {
        let encoder = self.encoders.get(T::TOPIC).ok_or(SendError::NoEncoder { topic: T::TOPIC })?;
        let envelope = self.envelope(&letter)?;
        let mut record = Record::new(T::TOPIC, &letter.aggregate_id, encoder.encode(&envelope)?)
            .header(headers::CE_SPECVERSION, "1.0")
            .header(headers::CE_ID, envelope.event_id.to_string())
            .header(headers::CE_TYPE, &envelope.event_type)
            .header(headers::CE_SOURCE, &self.source)
            .header(headers::CE_TIME, envelope.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true));
        for (name, value) in trace() {
            record = record.header(name, value);
        }
        tracing::info!(message = T::EVENT_TYPE, event_id = %letter.id, user_id = letter.user_id, "a caller's message");
        let published = self.publisher.publish(vec![record]).await?;
        Ok(published.await.map_err(|_| SendError::Gone)??)
    }

    fn envelope<T: Payload>(&self, letter: &Letter<'_, T>) -> Result<Envelope, TypedError> {
        Envelope {
            event_id: letter.id,
            event_type: String::new(),
            event_version: 1,
            aggregate_id: letter.aggregate_id.clone(),
            aggregate_type: letter.aggregate_type.to_owned(),
            occurred_at: Utc::now().trunc_subsecs(6),
            correlation_id: letter.correlation_id,
            causation_id: None,
            user_id: Some(letter.user_id.to_owned()),
            metadata: [("source".to_owned(), self.source.clone())].into(),
            data: Value::Null,
        }
        .with_data(letter.payload)
    }
}

/// The request's trace, so that the whole flow is one.
fn trace() -> HashMap<String, String> {
    let mut carrier = HashMap::new();
    let context = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.retain(|_, value| !value.is_empty());
    carrier
}
