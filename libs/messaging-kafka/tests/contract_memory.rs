//! The broker contract, held by the in-memory broker.

#![expect(clippy::expect_used, reason = "a scenario that cannot go on has failed")]

mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_messaging::{
    Inbox, Publisher,
    memory::{MemoryBroker, MemoryInbox},
};
use suite::{Doomed, TestBroker};

struct Memory(MemoryBroker);

impl Memory {
    async fn new() -> Self {
        Self(MemoryBroker::new(1))
    }

    async fn clean_up(self) {}
}

#[async_trait]
impl TestBroker for Memory {
    async fn topic(&self, base: &str, partitions: i32) -> String {
        self.0.create_topic(base, partitions);
        base.to_owned()
    }

    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Arc<dyn Inbox> {
        Arc::new(self.0.join(group, lane_topic, inputs).expect("joined"))
    }

    async fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.0.publisher())
    }

    async fn control_record(&self, topic: &str, partition: i32) {
        self.0.append_control_record(topic, partition);
    }

    async fn doomed_member(&self, group: &str, lane_topic: &str, lanes: usize) -> Box<dyn Doomed> {
        let inbox = Arc::new(self.0.join(group, lane_topic, &[]).expect("joined"));
        for _ in 0..lanes {
            inbox.ownership().await.expect("a lane");
        }
        let acknowledging = Arc::clone(&inbox);
        tokio::spawn(async move { while acknowledging.ownership().await.is_some() {} });
        Box::new(Zombie(inbox))
    }
}

struct Zombie(Arc<MemoryInbox>);

impl Doomed for Zombie {
    fn kill(self: Box<Self>) {
        self.0.expire();
    }
}

whole_broker_contract!(Memory::new());
