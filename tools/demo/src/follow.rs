//! The sagas as they move, read from their journal topic like anybody may.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use backstitch_contracts::orders::Flow;
use backstitch_contracts::{Catalog, DecodeError, Decoder, Envelope, saga};
use backstitch_messaging::{Delivery, SchemaSource};
use backstitch_messaging_kafka::registry::{Registry, RegistrySettings};
use backstitch_messaging_kafka::{KafkaSettings, ReadFrom, ReadUntil, TopicReader};
use backstitch_saga::SagaId;
use serde_json::Value;
use uuid::Uuid;

/// The definition that orders of a flow run on, or are observed by.
const fn definition(flow: Flow) -> &'static str {
    match flow {
        Flow::Orchestrated => "order-fulfilment",
        Flow::Choreographed => "order-choreographed",
    }
}

/// One move of the saga of one order.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    /// The order.
    pub(crate) order_id: Uuid,
    /// The journal entry's name.
    pub(crate) kind: String,
    /// The step, for entries about one.
    pub(crate) step: Option<String>,
    /// Why, for entries that say.
    pub(crate) reason: Option<String>,
    /// When it was decided, microseconds since 1970.
    pub(crate) at_micros: i64,
}

/// The journal from now on.
pub(crate) struct Journal {
    reader: TopicReader,
    decoder: Decoder,
    registry: Registry,
    orders: HashMap<Uuid, Uuid>,
}

impl Journal {
    pub(crate) async fn open(bootstrap: &str, registry: &str) -> Result<Self> {
        let settings = KafkaSettings::plaintext(bootstrap);
        let reader = TopicReader::open(&settings, &[saga::EVENTS], ReadFrom::End, ReadUntil::ForEver)
            .await
            .context("could not read the journal of sagas")?;
        let decoder = Decoder::new(&Catalog::embedded()?)?;
        let registry = Registry::new(RegistrySettings::at(registry))?;
        Ok(Self { reader, decoder, registry, orders: HashMap::new() })
    }

    /// From now on, the saga of this order is followed.
    pub(crate) fn follow(&mut self, order_id: Uuid, flow: Flow) {
        self.orders.insert(SagaId::derive(definition(flow), &order_id.to_string()).as_uuid(), order_id);
    }

    /// The next move of a saga that is followed.
    pub(crate) async fn next(&mut self) -> Result<Move> {
        loop {
            let delivery = self.reader.next().await.context("the journal of sagas ended")?;
            let envelope = self.decode(&delivery).await?;
            let saga_id = Uuid::parse_str(&envelope.aggregate_id).unwrap_or_default();
            let Some(order_id) = self.orders.get(&saga_id) else { continue };
            let text = |name: &str| envelope.data.get(name).and_then(Value::as_str).map(str::to_owned);
            return Ok(Move {
                order_id: *order_id,
                step: text("step"),
                reason: text("reason"),
                at_micros: envelope.occurred_at.timestamp_micros(),
                kind: envelope.event_type,
            });
        }
    }

    async fn decode(&self, delivery: &Delivery) -> Result<Envelope> {
        let bytes = delivery.value.as_deref().unwrap_or_default();
        loop {
            match self.decoder.decode(saga::EVENTS, bytes) {
                Err(DecodeError::UnknownSchema { id }) => {
                    let text = SchemaSource::schema(&self.registry, id).await?;
                    self.decoder.learn(id, &text)?;
                }
                other => return other.context("a journal entry cannot be read"),
            }
        }
    }
}
