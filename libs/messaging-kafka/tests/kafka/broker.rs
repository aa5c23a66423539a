//! Kafka at `KAFKA_BOOTSTRAP` as a broker under test. Separate, so that the scenarios name no client.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::suite::{Doomed, TestBroker, soon};
use async_trait::async_trait;
use backstitch_messaging::{Inbox, Publisher};
use backstitch_messaging_kafka::{
    GroupProtocol, InboxPlan, KafkaInbox, KafkaPublisher, KafkaSettings, StartInboxError, TopicSpec, ensure_topics,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

/// What a transaction of one record adds to its partition.
const RECORD_AND_MARK: i64 = 2;

pub(crate) struct Kafka {
    pub(crate) settings: KafkaSettings,
    topics: Mutex<Vec<String>>,
}

impl Kafka {
    pub(crate) async fn new() -> Self {
        let bootstrap = std::env::var("KAFKA_BOOTSTRAP").expect("KAFKA_BOOTSTRAP names a running broker");
        let mut settings = KafkaSettings::plaintext(bootstrap);
        settings.extra.0.insert("publisher.topic.metadata.propagation.max.ms".into(), "1000".into());
        Self { settings, topics: Mutex::default() }
    }

    /// The same under KIP-848.
    pub(crate) async fn with_consumer_protocol() -> Self {
        let mut kafka = Self::new().await;
        kafka.settings.group_protocol = GroupProtocol::Consumer;
        kafka
    }

    /// Joins with settings of one's own.
    pub(crate) async fn join_with(
        &self,
        settings: &KafkaSettings,
        group: &str,
        lane_topic: &str,
        inputs: &[&str],
    ) -> Result<KafkaInbox, StartInboxError> {
        let inputs = inputs.iter().map(ToString::to_string).collect();
        let plan = InboxPlan { group: group.to_owned(), lane_topic: lane_topic.to_owned(), inputs };
        KafkaInbox::start(settings, plan).await
    }

    /// A topic that takes no batch above this many bytes.
    pub(crate) async fn small_topic(&self, base: &str, bytes_max: u32) -> String {
        self.make(base, 1, [("max.message.bytes".to_owned(), bytes_max.to_string())].into()).await
    }

    async fn make(&self, base: &str, partitions: i32, config: BTreeMap<String, String>) -> String {
        let name = format!("test-{base}-{}", uuid::Uuid::new_v4());
        let spec = TopicSpec { name: name.clone(), partitions, replication: 1, config };
        ensure_topics(&self.settings, &[spec]).await.expect("topic");
        self.topics.lock().expect("topics").push(name.clone());
        name
    }

    /// A transaction that comes to nothing.
    pub(crate) async fn aborted_transaction(&self, topic: &str, partition: i32) {
        self.transaction(topic, partition, false).await;
    }

    async fn transaction(&self, topic: &str, partition: i32, commit: bool) {
        let mut config = client(&self.settings);
        config.set("transactional.id", topic);
        let before = self.committed_end(topic, partition).await;
        let (topic, named) = (topic.to_owned(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            let patience = Duration::from_secs(30);
            let producer: BaseProducer = config.create().expect("producer");
            producer.init_transactions(patience).expect("transactions");
            producer.begin_transaction().expect("begun");
            let record = BaseRecord::<(), _>::to(&topic).partition(partition).payload("in a transaction");
            producer.send(record).map_err(|(error, _)| error).expect("queued");
            producer.flush(patience).expect("written");
            let ended =
                if commit { producer.commit_transaction(patience) } else { producer.abort_transaction(patience) };
            ended.expect("ended");
        })
        .await
        .expect("transaction");
        // The broker answers once the end is decided and marks the partition afterwards: until it has, what was there
        // before the transaction is the end that readers of committed records are told.
        soon("the mark of the transaction's end", async {
            while self.committed_end(&named, partition).await < before + RECORD_AND_MARK {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Where the partition ends for whoever reads only what is committed.
    async fn committed_end(&self, topic: &str, partition: i32) -> i64 {
        let consumer: BaseConsumer = client(&self.settings).create().expect("consumer");
        let topic = topic.to_owned();
        let ask = move || consumer.fetch_watermarks(&topic, partition, Duration::from_secs(30)).expect("watermarks").1;
        tokio::task::spawn_blocking(ask).await.expect("an answer")
    }

    pub(crate) async fn clean_up(self) {
        let topics = self.topics.into_inner().expect("topics");
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let admin: AdminClient<DefaultClientContext> = client(&self.settings).create().expect("admin");
        admin.delete_topics(&names, &AdminOptions::new()).await.expect("deleted");
    }
}

pub(crate) fn client(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.bootstrap);
    config
}

#[async_trait]
impl TestBroker for Kafka {
    async fn topic(&self, base: &str, partitions: i32) -> String {
        self.make(base, partitions, BTreeMap::new()).await
    }

    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Arc<dyn Inbox> {
        Arc::new(self.join_with(&self.settings, group, lane_topic, inputs).await.expect("joined"))
    }

    async fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(KafkaPublisher::new(&self.settings).expect("producer"))
    }

    async fn control_record(&self, topic: &str, partition: i32) {
        self.transaction(topic, partition, true).await;
    }

    async fn doomed_member(&self, group: &str, lane_topic: &str, lanes: usize) -> Box<dyn Doomed> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lane_member"))
            .args([&self.settings.bootstrap, group, lane_topic])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a member in a process of its own");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        tokio::task::spawn_blocking(move || {
            for _ in 0..lanes {
                lines.next().expect("a line").expect("text");
            }
            // Whatever follows must be read, or it could not go on.
            std::thread::spawn(move || lines.for_each(drop));
        })
        .await
        .expect("its lanes");
        Box::new(Process(child))
    }
}

struct Process(Child);

impl Doomed for Process {
    fn kill(self: Box<Self>) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}
