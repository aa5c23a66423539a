//! A member as the scenarios see it. Separate, so that the scenarios read as stories.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use backstitch_messaging::{Delivery, Feed, FeedItem, Inbox, LaneId, Ownership, Record, TopicPartition};
use tokio::sync::oneshot;

use super::soon;

/// A member that acknowledges whatever it loses.
pub(crate) struct Member {
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) owned: BTreeSet<LaneId>,
}

impl Member {
    pub(crate) fn new(inbox: Arc<dyn Inbox>) -> Self {
        Self { inbox, owned: BTreeSet::new() }
    }

    /// Follows the group until exactly this many lanes are owned.
    pub(crate) async fn until_owning(&mut self, lanes: usize) {
        soon(&format!("owning {lanes} lanes"), async {
            while self.owned.len() != lanes {
                let change = self.inbox.ownership().await.expect("the inbox is open");
                drop(self.note(change));
            }
        })
        .await;
    }

    /// The same, while another member gives them up.
    pub(crate) async fn until_owning_while(&mut self, giving: &mut Self, lanes: usize) {
        let rest = giving.owned.len() - lanes;
        giving.until_owning(rest).await;
        self.until_owning(lanes).await;
    }

    /// Follows the group until this many lanes were asked back, without acknowledging any.
    pub(crate) async fn until_asked_back(&mut self, lanes: usize) -> Vec<(LaneId, oneshot::Sender<()>)> {
        let mut asked = Vec::new();
        soon(&format!("{lanes} lanes asked back"), async {
            while asked.len() < lanes {
                let change = self.inbox.ownership().await.expect("the inbox is open");
                asked.extend(self.note(change));
            }
        })
        .await;
        asked
    }

    fn note(&mut self, change: Ownership) -> Option<(LaneId, oneshot::Sender<()>)> {
        match change {
            Ownership::Gained(lane) => {
                assert!(self.owned.insert(lane), "lane {lane} gained twice");
                None
            }
            Ownership::Lost(lane, ack) => {
                assert!(self.owned.remove(&lane), "lane {lane} lost, but it was not owned");
                Some((lane, ack))
            }
        }
    }
}

/// What a feed has yielded so far.
pub(crate) struct Read {
    feed: Feed,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) marks: BTreeMap<TopicPartition, i64>,
}

impl Read {
    pub(crate) fn new(feed: Feed) -> Self {
        Self { feed, deliveries: Vec::new(), marks: BTreeMap::new() }
    }

    /// Takes batches until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        soon(what, async {
            while !done(self) {
                for item in self.feed.recv().await.expect("the feed goes on") {
                    match item {
                        FeedItem::Delivery(delivery) => self.deliveries.push(delivery),
                        FeedItem::CaughtUp { source, offset } => {
                            let before = self.deliveries.iter().filter(|d| d.source == source && d.offset >= offset);
                            assert_eq!(before.count(), 0, "{source} was marked at {offset} after a later record");
                            self.marks.insert(source, offset);
                        }
                    }
                }
            }
        })
        .await;
    }

    pub(crate) async fn until_count(&mut self, count: usize) {
        self.until(&format!("{count} records"), |read| read.deliveries.len() >= count).await;
    }

    pub(crate) fn values(&self) -> Vec<String> {
        self.deliveries.iter().map(text).collect()
    }
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.value.as_deref().unwrap_or_default()).into_owned()
}

/// A record for a partition of one's choice.
pub(crate) fn to_partition(topic: &str, partition: i32, value: impl ToString) -> Record {
    Record { partition: Some(partition), ..Record::new(topic, "key", value.to_string().into_bytes()) }
}
