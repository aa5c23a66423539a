//! The load: orders published to `orders.commands`, their ends read from `saga.events`. Nothing of ours in between is
//! asked how it goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use backstitch_contracts::{Catalog, Encoder, Envelope, Payload, headers, inventory, orders, saga};
use backstitch_messaging::{Publisher as _, Record, partition_for};
use backstitch_messaging_kafka::registry::{Registry, RegistrySettings};
use backstitch_messaging_kafka::{KafkaPublisher, KafkaSettings, ReadFrom, ReadUntil, TopicReader};
use backstitch_saga::SagaId;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// One saga of ten has its payment declined: the gateway goes by the amount's last digits.
const DECLINED_EVERY: u64 = 10;
const ORDERS: &str = "order-fulfilment";
const RELAYS: &str = "bench-relay";

/// What the orders are like, and where their sagas are at home.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The orchestrator's lanes.
    pub(crate) lanes: i32,
    /// Products that orders are shared out to; one of them each.
    pub(crate) products: u64,
    /// What is begun.
    pub(crate) kind: Kind,
}

/// What sagas are begun.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Orders, through five services.
    Orders,
    /// Sagas of the bench's own that ask nobody and carry so many bytes of data.
    Relays { bytes: usize },
}

impl Default for Shape {
    fn default() -> Self {
        Self { lanes: 1, products: 100, kind: Kind::Orders }
    }
}

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
    /// Its home lane.
    pub(crate) lane: i32,
}

/// A saga under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// When its order was handed to the producer.
    pub(crate) at: Instant,
    /// Its home lane.
    pub(crate) lane: i32,
}

/// An entry of the journal of a saga of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) saga: Uuid,
    pub(crate) lane: i32,
    /// When it was read.
    pub(crate) at: Instant,
    /// When it was decided, as it says itself.
    pub(crate) decided: DateTime<Utc>,
}

#[derive(Default)]
struct Books {
    begun: HashMap<Uuid, Begun>,
    ended: Vec<Ended>,
    /// None while nobody watches.
    moved: Option<Vec<Moved>>,
}

/// Sends orders and notes their ends.
#[derive(Clone)]
pub(crate) struct Load {
    publisher: Arc<KafkaPublisher>,
    orders: Arc<Encoder>,
    starts: Arc<Encoder>,
    books: Arc<Mutex<Books>>,
    /// Sagas that may still be begun.
    pub(crate) room: Arc<Semaphore>,
    run: Uuid,
    shape: Shape,
    next: Arc<AtomicU64>,
}

impl Load {
    /// Connects, fills the stock, and begins to read ends.
    pub(crate) async fn open(bootstrap: &str, registry_url: &str, shape: Shape) -> Result<Self> {
        let settings = KafkaSettings::plaintext(bootstrap);
        let registry = Registry::new(RegistrySettings::at(registry_url))?;
        let catalog = Catalog::embedded()?;
        let publisher = Arc::new(KafkaPublisher::new(&settings)?);
        let orders = Arc::new(encoder(&catalog, &registry, orders::COMMANDS).await?);
        let starts = Arc::new(encoder(&catalog, &registry, saga::COMMANDS).await?);
        let (books, next, room) = (Arc::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        let load = Self { publisher, orders, starts, books, room, run: Uuid::new_v4(), shape, next };
        load.fill_stock(&encoder(&catalog, &registry, inventory::COMMANDS).await?).await?;
        let reader = TopicReader::open(&settings, &[saga::EVENTS], ReadFrom::End, ReadUntil::ForEver).await?;
        tokio::spawn(load.clone().read_journal(reader));
        Ok(load)
    }

    async fn fill_stock(&self, encoder: &Encoder) -> Result<()> {
        let mut records = Vec::new();
        for number in 0..self.shape.products {
            let product = self.product(number);
            let data = json!({"receipt_id": Uuid::new_v4(), "product_id": product, "quantity": 100_000_000});
            let envelope = envelope(inventory::ReceiveStock::EVENT_TYPE, &product, data);
            records.push(Record::new(inventory::COMMANDS, &product, encoder.encode(&envelope)?));
        }
        self.publisher.publish(records).await?.await??;
        Ok(())
    }

    fn product(&self, number: u64) -> String {
        format!("bench-{}-{}", &self.run.simple().to_string()[..8], number % self.shape.products.max(1))
    }

    /// Publishes what begins the next saga.
    pub(crate) async fn begin(&self) -> Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // In the order of time, as the order service's own door makes them.
        let key = Uuid::now_v7().to_string();
        let (definition, record) = match self.shape.kind {
            Kind::Orders => (ORDERS, self.order(number, &key)?),
            Kind::Relays { bytes } => (RELAYS, self.start(RELAYS, &key, &padded(bytes))?),
        };
        let begun = Begun { at: Instant::now(), lane: partition_for(key.as_bytes(), self.shape.lanes) };
        self.books().begun.insert(SagaId::derive(definition, &key).as_uuid(), begun);
        // The receipt is of no interest: the saga's end says more.
        drop(self.publisher.publish(vec![record]).await?);
        Ok(())
    }

    /// Starts a saga of another kind, and waits until the broker has it.
    pub(crate) async fn start_one(&self, definition: &str, key: &str, data: &Value) -> Result<()> {
        self.publisher.publish(vec![self.start(definition, key, data)?]).await?.await??;
        Ok(())
    }

    fn start(&self, definition: &str, key: &str, data: &Value) -> Result<Record> {
        let data = json!({ "definition": definition, "key": key, "data": data.to_string() });
        let envelope = envelope(saga::StartSaga::EVENT_TYPE, key, data);
        Ok(Record::new(saga::COMMANDS, key, self.starts.encode(&envelope)?))
    }

    fn order(&self, number: u64, key: &str) -> Result<Record> {
        let price = if number.is_multiple_of(DECLINED_EVERY) { 1_001 } else { 1_000 };
        let data = json!({
            "order_id": key,
            "customer_id": self.run,
            "order_items": [{"product_id": self.product(number), "quantity": 1, "unit_price": price}],
            "currency": "EUR",
            "shipping_address": {"name": "Ada", "line1": "Unter den Linden 1", "line2": null, "city": "Berlin",
                                 "postal_code": "10115", "country": "DE"},
            "flow": "orchestrated",
        });
        Ok(Record::new(
            orders::COMMANDS,
            key,
            self.orders.encode(&envelope(orders::PlaceOrder::EVENT_TYPE, key, data))?,
        ))
    }

    /// Ends since the last call.
    pub(crate) fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.books().ended)
    }

    /// Sagas begun and not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.books().begun.len()
    }

    /// Each saga begun and not ended.
    pub(crate) fn under_way(&self) -> HashMap<Uuid, Begun> {
        self.books().begun.clone()
    }

    /// Notes every journal entry from now on.
    pub(crate) fn watch(&self) {
        self.books().moved = Some(Vec::new());
    }

    /// What was noted since [`Self::watch`]; it goes on.
    pub(crate) fn seen(&self) -> Vec<Moved> {
        self.books().moved.clone().unwrap_or_default()
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The headers and the key say all that is wanted, so that nothing is decoded.
    async fn read_journal(self, mut reader: TopicReader) -> Result<()> {
        while let Some(delivery) = reader.next().await {
            let key = delivery.key.as_deref().and_then(|key| Uuid::try_parse_ascii(key).ok());
            let decided = delivery.header_text(headers::CE_TIME).and_then(|text| text.parse().ok());
            let (Some(saga), Some(decided)) = (key, decided) else { continue };
            let end = match delivery.header_text(headers::CE_TYPE) {
                Some("SagaCompleted") => Some(End::Completed),
                Some("SagaRolledBack") => Some(End::RolledBack),
                Some("SagaStuck") => Some(End::Stuck),
                _ => None,
            };
            self.note(saga, decided, end);
        }
        bail!("the journal of sagas ended")
    }

    fn note(&self, saga: Uuid, decided: DateTime<Utc>, end: Option<End>) {
        let mut books = self.books();
        let Some(Begun { at: begun, lane }) = books.begun.get(&saga).copied() else { return };
        let at = Instant::now();
        if let Some(moved) = &mut books.moved {
            moved.push(Moved { saga, lane, at, decided });
        }
        if let Some(end) = end {
            books.begun.remove(&saga);
            books.ended.push(Ended { end, took: at - begun, at, lane });
            drop(books);
            self.room.add_permits(1);
        }
    }
}

/// An object whose JSON has so many bytes, or a few more; not one character over and over, which would be compressed.
pub(crate) fn padded(bytes: usize) -> Value {
    let mut text = String::new();
    while text.len() + 20 < bytes {
        text.push_str(&Uuid::new_v4().simple().to_string());
    }
    json!({ "carried": text })
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
