//! [`Publisher`] on Kafka: one idempotent producer. Separate from [`crate::ticket`], which counts what is still out.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use backstitch_messaging::{PublishError, Published, Publisher, Record};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, Message, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig},
};
use tokio::sync::{Mutex, Notify};

use crate::{
    client_log,
    settings::{ClientKind, KafkaSettings},
    ticket::Ticket,
};

/// How long the thread that takes deliveries in waits for one. It spins through the last millisecond of each wait, and the
/// crate's own waits a tenth of a second: a hundredth of a core for nothing. A producer that is dropped is gone this late.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a full queue is waited for before trying anyway; a delivery wakes earlier.
const ROOM_PATIENCE: Duration = Duration::from_millis(100);

/// Publishes to Kafka, in order for each partition, across calls too.
pub struct KafkaPublisher {
    producer: Arc<BaseProducer<PublisherContext>>,
    /// Held while one call's records are queued, so that calls do not mix.
    turn: Mutex<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    fatal: OnceLock<String>,
    room: Notify,
    gone: AtomicBool,
}

impl KafkaPublisher {
    /// A producer of its own.
    ///
    /// # Errors
    /// The client's answer if it refuses the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let shared = Arc::new(Shared::default());
        let context = PublisherContext { shared: Arc::clone(&shared) };
        let producer: BaseProducer<PublisherContext> =
            settings.finish(ClientKind::Publisher, publisher_config(settings)).create_with_context(context)?;
        let producer = Arc::new(producer);
        take_deliveries(Arc::clone(&producer), Arc::clone(&shared))?;
        Ok(Self { producer, turn: Mutex::default(), shared })
    }

    /// Waits until everything queued is durable, but no longer than `patience`. Whether it is.
    pub async fn flush(&self, patience: Duration) -> bool {
        let producer = Arc::clone(&self.producer);
        crate::reader::blocking(move || producer.flush(patience)).await.is_ok_and(|flushed| flushed.is_ok())
    }

    async fn send(&self, record: &Record, ticket: &Arc<Ticket>) -> Result<(), PublishError> {
        let mut unsent = to_kafka(record, Arc::clone(ticket));
        loop {
            let room = self.shared.room.notified();
            match self.producer.send(unsent) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    unsent = back;
                    let _ = tokio::time::timeout(ROOM_PATIENCE, room).await;
                }
                Err((error, _)) => return Err(self.shared.verdict(&record.topic, &error)),
            }
        }
    }
}

/// Nothing more goes out; the thread sees it when its wait is over, and the client ends with it.
impl Drop for KafkaPublisher {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Relaxed);
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

fn take_deliveries(producer: Arc<BaseProducer<PublisherContext>>, shared: Arc<Shared>) -> Result<(), KafkaError> {
    let taking = move || {
        while !shared.gone.load(Ordering::Relaxed) {
            producer.poll(DELIVERY_PATIENCE);
        }
    };
    let started = thread::Builder::new().name("kafka-deliveries".into()).spawn(taking);
    started.map(drop).map_err(|error| KafkaError::ClientCreation(format!("no thread for deliveries: {error}")))
}

#[async_trait]
impl Publisher for KafkaPublisher {
    async fn publish(&self, records: Vec<Record>) -> Result<Published, PublishError> {
        let (ticket, published) = Ticket::new();
        let _turn = self.turn.lock().await;
        for record in &records {
            match self.send(record, &ticket).await {
                // The others go out; the receipt tells, so that the outbox sets the commit aside and goes on.
                Err(refused @ PublishError::Refused { .. }) => ticket.fail(refused),
                sent => sent?,
            }
        }
        // Ours is the last hold on the ticket if all are delivered already, or if there were none.
        drop(ticket);
        Ok(published)
    }
}

fn publisher_config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = settings.base();
    config
        // Retries neither repeat nor reorder.
        .set("enable.idempotence", "true")
        // Durable means: on every replica in sync.
        .set("acks", "all")
        // The outbox must not lose order to a record given up during an outage: never give up.
        .set("message.timeout.ms", "0")
        // Java's choice of partition; librdkafka's own default is another hash and would split a key's records.
        .set("partitioner", "murmur2_random")
        // What waits in the queue goes at once; under load the records in between form the batch.
        .set("linger.ms", "0")
        // Built in, cheap, and halves what the journal costs on disk.
        .set("compression.type", "lz4")
        // A dead letter is its original and its reasons: its topic takes twice what others do. Which record is too
        // large for which topic is the broker's word.
        .set("message.max.bytes", "2097152")
        // Bounds memory; callers wait for room.
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "65536")
        // A topic still unknown after this is refused by name instead of waited for.
        .set("topic.metadata.propagation.max.ms", "10000");
    config
}

fn to_kafka(record: &Record, ticket: Arc<Ticket>) -> BaseRecord<'_, Vec<u8>, Vec<u8>, Arc<Ticket>> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    BaseRecord {
        topic: &record.topic,
        partition: record.partition,
        payload: record.value.as_ref(),
        key: record.key.as_ref(),
        timestamp: None,
        headers: Some(headers),
        delivery_opaque: ticket,
    }
}

/// What librdkafka calls on the producer's thread.
struct PublisherContext {
    shared: Arc<Shared>,
}

impl ClientContext for PublisherContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error == KafkaError::Global(RDKafkaErrorCode::Fatal) {
            tracing::error!(reason, "the producer has failed for good");
            let _ = self.shared.fatal.set(reason.to_owned());
        } else {
            client_log::error(&error, reason);
        }
    }
}

impl ProducerContext for PublisherContext {
    type DeliveryOpaque = Arc<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Arc<Ticket>) {
        if let Err((error, message)) = result {
            ticket.fail(self.shared.verdict(message.topic(), error));
        }
        self.shared.room.notify_waiters();
    }
}

impl Shared {
    /// Whether it is this record or the producer that is beyond help. Outages never get here: they are waited out.
    fn verdict(&self, topic: &str, error: &KafkaError) -> PublishError {
        if let Some(reason) = self.fatal.get() {
            return PublishError::Fatal { reason: reason.clone() };
        }
        let code = error.rdkafka_error_code();
        if matches!(error, KafkaError::Nul(_)) || code.is_some_and(refuses_the_record) {
            let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
            return PublishError::Refused { topic: topic.to_owned(), reason };
        }
        PublishError::Fatal { reason: error.to_string() }
    }
}

fn refuses_the_record(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidPartitions
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::TopicAuthorizationFailed
    )
}
