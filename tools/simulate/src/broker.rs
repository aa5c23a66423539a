//! The way of one process to the broker in memory: slow, now and then repeated, and cut where the process ends. Order
//! within a partition holds, as on Kafka; nothing else is promised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::headers;
use backstitch_messaging::memory::{MemoryBroker, MemoryInbox};
use backstitch_messaging::{
    Feed, FeedItem, Inbox, InboxError, LaneId, Ownership, PublishError, Published, Publisher, Record, TopicPartition,
    Topology,
};
use backstitch_saga::sub_saga::START;
use tokio::sync::{mpsc, oneshot};

use crate::life::Life;
use crate::mutation::Mutation;
use crate::world::lock;

/// What was brought to the broker.
pub(crate) struct Arrivals {
    /// When each message was first there, by its id.
    pub(crate) first: Mutex<BTreeMap<String, Duration>>,
    /// Starts of sub-sagas, as they come.
    pub(crate) sub_sagas: mpsc::UnboundedSender<Record>,
}

/// A membership in a group, as one process has it.
pub(crate) struct SimulatedInbox {
    pub(crate) inner: Arc<MemoryInbox>,
    pub(crate) life: Arc<Life>,
}

impl SimulatedInbox {
    fn broken(&self, action: &'static str) -> Result<(), InboxError> {
        if self.life.falls(2) {
            self.life.world.tell(|| format!("{}: the broker does not answer ({action})", self.life.name));
            return Err(InboxError::Broker { action, reason: "no answer in time".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Inbox for SimulatedInbox {
    fn topology(&self) -> &Topology {
        self.inner.topology()
    }

    async fn ownership(&self) -> Option<Ownership> {
        self.life.point("ownership").await;
        // Nothing is waited for from here on: whoever drops this future must not drop a change with it.
        let change = self.inner.ownership().await;
        self.life.world.tell(|| match &change {
            Some(Ownership::Gained(lane)) => format!("{} gains lane {lane}", self.life.name),
            Some(Ownership::Lost(lane, _)) => format!("{} loses lane {lane}", self.life.name),
            None => format!("{} is no longer a member", self.life.name),
        });
        change
    }

    fn owns(&self, lane: LaneId) -> bool {
        self.inner.owns(lane)
    }

    async fn read(&self, lane: LaneId, from: &[(TopicPartition, i64)]) -> Result<Feed, InboxError> {
        self.life.travel("read").await;
        self.broken("read")?;
        let mut inner = self.inner.read(lane, from).await?;
        let (items, feed) = mpsc::channel(2);
        let life = self.life.clone();
        tokio::spawn(async move {
            while let Some(mut batch) = inner.recv().await {
                life.travel("fetch").await;
                if life.world.has(Mutation::ForwardedInputsAreDropped) {
                    batch.retain(|item| !is_forwarded(item));
                }
                for piece in pieces(batch, &life) {
                    if items.send(piece).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(feed)
    }

    async fn stop(&self, lane: LaneId) {
        self.inner.stop(lane).await;
    }

    async fn end_offsets(&self, lane: LaneId) -> Result<Vec<(TopicPartition, i64)>, InboxError> {
        self.life.travel("ask for end offsets").await;
        self.broken("tell its end offsets")?;
        let mut ends = self.inner.end_offsets(lane).await?;
        if self.life.world.has(Mutation::TimersDoNotWait) {
            ends.iter_mut().for_each(|(_, end)| *end = 0);
        }
        self.life.travel("end offsets").await;
        Ok(ends)
    }

    fn report(&self, offsets: Vec<(TopicPartition, i64)>) {
        self.inner.report(offsets);
    }

    async fn leave(&self) {
        self.life.point("leave").await;
        self.inner.leave().await;
    }

    async fn close(&self) {
        self.life.point("close").await;
        self.inner.close().await;
    }
}

fn is_forwarded(item: &FeedItem) -> bool {
    matches!(item, FeedItem::Delivery(delivery) if delivery.header(headers::FORWARDED_FROM).is_some())
}

/// One fetch may come in pieces.
fn pieces(mut batch: Vec<FeedItem>, life: &Life) -> Vec<Vec<FeedItem>> {
    if batch.len() < 2 || !life.falls(300) {
        return vec![batch];
    }
    let at = usize::try_from(life.between(1, batch.len() as u64 - 1)).unwrap_or(1);
    let rest = batch.split_off(at);
    vec![batch, rest]
}

/// Records handed over, and where their receipt goes.
type Handed = (Vec<Record>, oneshot::Sender<Result<(), PublishError>>);

/// The producer of one process: it takes records at once and brings them to the broker later, in order.
pub(crate) struct SimulatedPublisher {
    life: Arc<Life>,
    queue: mpsc::UnboundedSender<Handed>,
}

impl SimulatedPublisher {
    pub(crate) fn new(broker: &MemoryBroker, life: &Arc<Life>, arrivals: &Arc<Arrivals>) -> Self {
        let (queue, mut waiting) = mpsc::unbounded_channel::<Handed>();
        let sender = Sender { broker: broker.publisher(), life: life.clone(), arrivals: arrivals.clone() };
        tokio::spawn(async move {
            while let Some((records, receipt)) = waiting.recv().await {
                let outcome = sender.send(records).await;
                sender.life.travel("acknowledge").await;
                if sender.life.falls(1) {
                    sender.life.world.tell(|| format!("{}: the producer fails for good", sender.life.name));
                    continue;
                }
                let _ = receipt.send(outcome);
            }
        });
        Self { life: life.clone(), queue }
    }
}

#[async_trait]
impl Publisher for SimulatedPublisher {
    async fn publish(&self, mut records: Vec<Record>) -> Result<Published, PublishError> {
        self.life.point("hand records over").await;
        if self.life.world.has(Mutation::RecordsGoOutBackwards) {
            records.reverse();
        }
        let (receipt, published) = oneshot::channel();
        // Without its task nothing is ever acknowledged, as without a broker.
        let _ = self.queue.send((records, receipt));
        Ok(published)
    }
}

struct Sender {
    broker: backstitch_messaging::memory::MemoryPublisher,
    life: Arc<Life>,
    arrivals: Arc<Arrivals>,
}

impl Sender {
    async fn send(&self, records: Vec<Record>) -> Result<(), PublishError> {
        self.life.travel("produce").await;
        for record in records {
            self.life.point("produce a record").await;
            self.note(&record);
            let again = self.life.falls(10).then(|| record.clone());
            for record in std::iter::once(record).chain(again) {
                drop(self.broker.publish(vec![record]).await?);
            }
        }
        Ok(())
    }

    fn note(&self, record: &Record) {
        let world = &self.life.world;
        let id = text(record, headers::CE_ID).unwrap_or_default();
        world.tell(|| {
            let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let kind = text(record, headers::CE_TYPE).unwrap_or_default();
            format!("{} -> {} {kind} of {key} ({id})", self.life.name, record.topic)
        });
        lock(&self.arrivals.first).entry(id.to_owned()).or_insert_with(|| world.elapsed());
        if text(record, headers::CE_TYPE) == Some(START) {
            // A run that is over listens no more.
            let _ = self.arrivals.sub_sagas.send(record.clone());
        }
    }
}

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
}
