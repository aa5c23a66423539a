//! The load: orders published to `orders.commands`, their ends read from `saga.events`. Nothing of ours in between is
//! asked how it goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use backstitch_contracts::{Catalog, DecodeError, Decoder, Encoder, Envelope, Payload, inventory, orders, saga};
use backstitch_messaging::{Publisher as _, Record, SchemaSource};
use backstitch_messaging_kafka::registry::{Registry, RegistrySettings};
use backstitch_messaging_kafka::{KafkaPublisher, KafkaSettings, ReadFrom, ReadUntil, TopicReader};
use backstitch_saga::SagaId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// One saga of ten has its payment declined: the gateway goes by the amount's last digits.
const DECLINED_EVERY: u64 = 10;
const PRODUCTS: u64 = 100;
const DEFINITION: &str = "order-fulfilment";

/// How an order's saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    RolledBack,
    Stuck,
}

/// One saga that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) end: End,
    /// From handing the order to the producer until its saga's last entry was read.
    pub(crate) took: Duration,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct Books {
    begun: HashMap<Uuid, Instant>,
    ended: Vec<Ended>,
}

/// Sends orders and notes their ends.
#[derive(Clone)]
pub(crate) struct Load {
    publisher: Arc<KafkaPublisher>,
    orders: Arc<Encoder>,
    books: Arc<Mutex<Books>>,
    /// Sagas that may still be begun.
    pub(crate) room: Arc<Semaphore>,
    run: Uuid,
}

impl Load {
    /// Connects, fills the stock, and begins to read ends.
    pub(crate) async fn open(bootstrap: &str, registry_url: &str) -> Result<Self> {
        let settings = KafkaSettings::plaintext(bootstrap);
        let registry = Registry::new(RegistrySettings::at(registry_url))?;
        let catalog = Catalog::embedded()?;
        let publisher = Arc::new(KafkaPublisher::new(&settings)?);
        let orders = Arc::new(encoder(&catalog, &registry, orders::COMMANDS).await?);
        let load =
            Self { publisher, orders, books: Arc::default(), room: Arc::new(Semaphore::new(0)), run: Uuid::new_v4() };
        load.fill_stock(&encoder(&catalog, &registry, inventory::COMMANDS).await?).await?;
        let reader = TopicReader::open(&settings, &[saga::EVENTS], ReadFrom::End, ReadUntil::ForEver).await?;
        tokio::spawn(load.clone().read_ends(reader, Decoder::new(&catalog)?, registry));
        Ok(load)
    }

    async fn fill_stock(&self, encoder: &Encoder) -> Result<()> {
        let mut records = Vec::new();
        for number in 0..PRODUCTS {
            let product = self.product(number);
            let data = json!({"receipt_id": Uuid::new_v4(), "product_id": product, "quantity": 100_000_000});
            let envelope = envelope(inventory::ReceiveStock::EVENT_TYPE, &product, data);
            records.push(Record::new(inventory::COMMANDS, &product, encoder.encode(&envelope)?));
        }
        self.publisher.publish(records).await?.await??;
        Ok(())
    }

    fn product(&self, number: u64) -> String {
        format!("bench-{}-{}", &self.run.simple().to_string()[..8], number % PRODUCTS)
    }

    /// Publishes the order with this number.
    pub(crate) async fn begin(&self, number: u64) -> Result<()> {
        let order_id = Uuid::new_v4();
        let price = if number.is_multiple_of(DECLINED_EVERY) { 1_001 } else { 1_000 };
        let data = json!({
            "order_id": order_id,
            "customer_id": self.run,
            "order_items": [{"product_id": self.product(number), "quantity": 1, "unit_price": price}],
            "currency": "EUR",
            "shipping_address": {"name": "Ada", "line1": "Unter den Linden 1", "line2": null, "city": "Berlin",
                                 "postal_code": "10115", "country": "DE"},
            "flow": "orchestrated",
        });
        let key = order_id.to_string();
        let value = self.orders.encode(&envelope(orders::PlaceOrder::EVENT_TYPE, &key, data))?;
        self.books().begun.insert(SagaId::derive(DEFINITION, &key).as_uuid(), Instant::now());
        // The receipt is of no interest: the saga's end says more.
        drop(self.publisher.publish(vec![Record::new(orders::COMMANDS, &key, value)]).await?);
        Ok(())
    }

    /// Ends since the last call.
    pub(crate) fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.books().ended)
    }

    /// Sagas begun and not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.books().begun.len()
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_ends(self, mut reader: TopicReader, decoder: Decoder, registry: Registry) -> Result<()> {
        while let Some(delivery) = reader.next().await {
            // The CloudEvents header tells the few interesting entries apart without decoding the many.
            let end = match delivery.header_text("ce_type") {
                Some("SagaCompleted") => End::Completed,
                Some("SagaRolledBack") => End::RolledBack,
                Some("SagaStuck") => End::Stuck,
                _ => continue,
            };
            let bytes = delivery.value.as_deref().unwrap_or_default();
            if let Err(DecodeError::UnknownSchema { id }) = decoder.decode(saga::EVENTS, bytes) {
                decoder.learn(id, &SchemaSource::schema(&registry, id).await?)?;
            }
            let envelope = decoder.decode(saga::EVENTS, bytes)?;
            self.note(Uuid::parse_str(&envelope.aggregate_id)?, end);
        }
        bail!("the journal of sagas ended")
    }

    fn note(&self, saga_id: Uuid, end: End) {
        let mut books = self.books();
        if let Some(begun) = books.begun.remove(&saga_id) {
            let at = Instant::now();
            books.ended.push(Ended { end, took: at - begun, at });
            drop(books);
            self.room.add_permits(1);
        }
    }
}

async fn encoder(catalog: &Catalog, registry: &Registry, topic: &str) -> Result<Encoder> {
    let known = catalog.topic(topic).and_then(|topic| topic.schema.as_ref());
    let schema = known.with_context(|| format!("no schema for {topic}"))?;
    let id = registry.id_of(&format!("{topic}-value"), schema).await?;
    Ok(Encoder::new(schema, id)?)
}

fn envelope(event_type: &str, aggregate_id: &str, data: Value) -> Envelope {
    Envelope {
        event_id: Uuid::new_v4(),
        event_type: event_type.to_owned(),
        event_version: 1,
        aggregate_id: aggregate_id.to_owned(),
        aggregate_type: "Bench".to_owned(),
        occurred_at: chrono::Utc::now(),
        correlation_id: Uuid::new_v4(),
        causation_id: None,
        user_id: None,
        metadata: BTreeMap::from([("source".to_owned(), "bench".to_owned())]),
        data,
    }
}
