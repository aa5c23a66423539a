//! A broker inside one process, lossy on request. A FAKE for tests: nothing it holds survives, and it is as quick and
//! as patient as a test wants. Here and not in a test crate, so that every crate's tests share one, held to the real
//! broker's behaviour by one suite over both.

mod faults;
mod group;
mod inbox;
mod log;
mod publisher;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

pub use faults::Faults;
pub use inbox::MemoryInbox;
pub use publisher::MemoryPublisher;

use crate::{Delivery, LaneId, TopicPartition, Topology};
use faults::Dice;
use group::Group;
use log::Log;

/// The broker. Clones are the same broker.
#[derive(Clone)]
pub struct MemoryBroker(Arc<Shared>);

/// Why a member could not join.
#[derive(Debug, thiserror::Error)]
#[error("no topic `{topic}`; create it first")]
pub struct NoSuchTopic {
    /// Its name.
    pub topic: String,
}

struct Shared {
    state: Mutex<State>,
    /// Told with every record, so that readers look again; one after the other, always in the same order.
    appended: Notify,
}

struct State {
    log: Log,
    groups: BTreeMap<String, Group>,
    committed: BTreeMap<(String, TopicPartition), i64>,
    faults: Faults,
    dice: Dice,
}

impl MemoryBroker {
    /// An empty broker whose faults, if any are asked for, follow from `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            log: Log::default(),
            groups: BTreeMap::new(),
            committed: BTreeMap::new(),
            faults: Faults::default(),
            dice: Dice::new(seed),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), appended: Notify::new() }))
    }

    /// Makes a topic, or does nothing if it is there.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.0.state().log.create(topic, partitions);
    }

    /// How many partitions a topic has, if there is such a topic.
    #[must_use]
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.state().log.partitions(topic)
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state().faults = faults;
    }

    /// A producer.
    #[must_use]
    pub fn publisher(&self) -> MemoryPublisher {
        MemoryPublisher::new(Arc::clone(&self.0))
    }

    /// Joins a group that shares the lanes of `lane_topic` out and reads `inputs` too. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`NoSuchTopic`] if one of the topics was not created.
    pub fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<MemoryInbox, NoSuchTopic> {
        let mut partitions = BTreeMap::new();
        for topic in std::iter::once(&lane_topic).chain(inputs) {
            let count = self.0.state().log.partitions(topic);
            let count = count.ok_or_else(|| NoSuchTopic { topic: (*topic).to_owned() })?;
            partitions.insert((*topic).to_owned(), count);
        }
        let topology = Topology { lane_topic: lane_topic.to_owned(), partitions };
        Ok(MemoryInbox::join(Arc::clone(&self.0), group, topology))
    }

    /// Moves a lane to another member of its group, as a rebalance would: its owner is asked to hand it over first.
    pub fn move_lane(&self, lane: LaneId, to: &MemoryInbox) {
        group::move_lane(&self.0, lane, to.group(), to.member());
    }

    /// Every record of a topic, partition by partition.
    #[must_use]
    pub fn records(&self, topic: &str) -> Vec<Delivery> {
        self.0.state().log.records(topic)
    }

    /// Appends what a transaction leaves behind: an offset is taken, and no reader is given a record.
    pub fn append_control_record(&self, topic: &str, partition: i32) {
        self.0.state().log.append_control(&TopicPartition::new(topic, partition));
        self.0.raise();
    }

    /// What a group last reported for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, source: &TopicPartition) -> Option<i64> {
        self.0.state().committed.get(&(group.to_owned(), source.clone())).copied()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self) {
        self.appended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeedItem, Inbox, Ownership, Publisher, Record};

    fn broker(seed: u64) -> MemoryBroker {
        let broker = MemoryBroker::new(seed);
        broker.create_topic("lanes", 2);
        broker
    }

    fn numbered(count: u32) -> Vec<Record> {
        (0..count).map(|n| Record::new("lanes", "key", n.to_string().into_bytes())).collect()
    }

    fn values(deliveries: &[Delivery]) -> Vec<String> {
        let text = |d: &Delivery| String::from_utf8_lossy(d.value.as_deref().unwrap_or_default()).into_owned();
        deliveries.iter().map(text).collect()
    }

    #[tokio::test]
    async fn a_lost_receipt_is_no_lost_record() {
        let broker = broker(1);
        broker.set_faults(Faults { lost_receipts: 1000, ..Faults::default() });
        let receipt = broker.publisher().publish(numbered(2)).await.expect("taken");
        assert!(receipt.await.is_err());
        assert_eq!(values(&broker.records("lanes")), ["0", "1"]);
    }

    #[tokio::test]
    async fn one_seed_gives_one_history() {
        let history = async |seed| {
            let broker = broker(seed);
            broker.set_faults(Faults { repeated_records: 300, ..Faults::default() });
            broker.publisher().publish(numbered(50)).await.expect("taken").await.expect("a receipt").expect("durable");
            values(&broker.records("lanes"))
        };
        assert_eq!(history(7).await, history(7).await);
        assert_ne!(history(7).await, history(8).await);
        assert!(history(7).await.len() > 50);
    }

    #[tokio::test]
    async fn delayed_batches_lose_nothing_and_keep_their_order() {
        let broker = broker(3);
        broker.set_faults(Faults { delayed_batches: 900, ..Faults::default() });
        broker.publisher().publish(numbered(100)).await.expect("taken").await.expect("a receipt").expect("durable");
        let inbox = broker.join("group", "lanes", &[]).expect("joined");
        let home = inbox.topology().home("key");
        let mut feed = inbox.read(home, &[]).await.expect("feed");
        let mut seen = Vec::new();
        while seen.len() < 100 {
            for item in feed.recv().await.expect("a batch") {
                if let FeedItem::Delivery(delivery) = item {
                    seen.push(delivery);
                }
            }
        }
        assert_eq!(values(&seen), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_lane_moves_on_demand_once_it_is_handed_over() {
        let broker = broker(4);
        let first = broker.join("group", "lanes", &[]).expect("joined");
        for _ in 0..2 {
            assert!(matches!(first.ownership().await, Some(Ownership::Gained(_))));
        }
        let second = broker.join("group", "lanes", &[]).expect("joined");
        let Some(Ownership::Lost(moved, ack)) = first.ownership().await else { panic!("one lane is asked back") };
        drop(ack);
        assert!(matches!(second.ownership().await, Some(Ownership::Gained(lane)) if lane == moved));
        broker.move_lane(moved, &first);
        let Some(Ownership::Lost(back, ack)) = second.ownership().await else { panic!("it is asked back") };
        assert!(back == moved && !first.owns(moved) && !second.owns(moved));
        drop(ack);
        assert!(matches!(first.ownership().await, Some(Ownership::Gained(lane)) if lane == moved));
    }

    #[tokio::test]
    async fn a_zombie_reads_on_and_owns_nothing() {
        let broker = broker(5);
        let zombie = broker.join("group", "lanes", &[]).expect("joined");
        for _ in 0..2 {
            assert!(matches!(zombie.ownership().await, Some(Ownership::Gained(_))));
        }
        let home = zombie.topology().home("key");
        let mut feed = zombie.read(home, &[]).await.expect("feed");
        zombie.expire();
        let heir = broker.join("group", "lanes", &[]).expect("joined");
        assert!(heir.owns(home) && !zombie.owns(home));
        broker.publisher().publish(numbered(1)).await.expect("taken").await.expect("a receipt").expect("durable");
        let mut seen = 0;
        while seen < 1 {
            let batch = feed.recv().await.expect("a batch");
            seen += batch.iter().filter(|item| matches!(item, FeedItem::Delivery(_))).count();
        }
    }
}
