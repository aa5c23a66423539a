//! A database, a broker and members that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_messaging::memory::{MemoryBroker, MemoryInbox};
use backstitch_messaging::{Delivery, LaneId, Publisher as _, Record, SchemaSource, SchemaSourceError, partition_for};
use backstitch_processor::{Health, Ports, Processor, ProcessorError, Settings};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::toy::{Hold, TABLES, Toy, ToyCaller};

const SCHEMA: &str = include_str!("toy.avsc");
const TOPIC: &str = "toys.commands";
const PATIENCE: Duration = Duration::from_secs(60);

/// What a message tells the toy to do.
pub(crate) enum Told {
    Record,
    Panic,
    Reject,
    Poison,
    Timer { milliseconds: i64 },
    CancelTimer,
    Call,
}

/// Everything that members share.
pub(crate) struct Bench {
    pub(crate) broker: MemoryBroker,
    pub(crate) pool: PgPool,
    lane_topic: String,
    lanes: i32,
    encoder: Arc<Encoder>,
    registry: Arc<FakeRegistry>,
    sent: AtomicI64,
}

/// A FAKE registry with one schema, which a test can switch off.
struct FakeRegistry {
    down: AtomicBool,
}

#[async_trait]
impl SchemaSource for FakeRegistry {
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(SchemaSourceError::Unavailable { reason: "switched off".into() });
        }
        if id == 1 { Ok(SCHEMA.to_owned()) } else { Err(SchemaSourceError::Unknown { id }) }
    }
}

/// A processor in this process.
pub(crate) struct Member {
    pub(crate) inbox: Arc<MemoryInbox>,
    stop: CancellationToken,
    health: Health,
    running: JoinHandle<Result<(), ProcessorError>>,
}

impl Member {
    /// Leaves in good order.
    pub(crate) async fn stop(self) -> Result<(), ProcessorError> {
        self.begin_to_stop();
        self.ended().await
    }

    /// Is told to leave, and not waited for.
    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the end that comes by itself.
    pub(crate) async fn ended(self) -> Result<(), ProcessorError> {
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap()
    }

    /// Goes without a word, as by `kill -9`; the group finds out.
    pub(crate) async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
        self.inbox.expire();
    }

    pub(crate) fn problem(&self) -> Option<String> {
        self.health.problem()
    }
}

impl Bench {
    pub(crate) async fn new(lanes: i32) -> Self {
        let url = std::env::var("POSTGRES_ADMIN_URL").expect("POSTGRES_ADMIN_URL: source target/stack/env first");
        let admin = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let name = format!("lanes_{}", Uuid::new_v4().simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        let pool = PgPoolOptions::new().max_connections(20).connect(&format!("{server}/{name}")).await.unwrap();
        backstitch_processor::migrations().run(&pool).await.unwrap();
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
        let broker = MemoryBroker::new(7);
        for (topic, partitions) in [(TOPIC, lanes), ("answers", 1), ("toys.commands.dlq", 1)] {
            broker.create_topic(topic, partitions);
        }
        Self {
            broker,
            pool,
            lane_topic: TOPIC.to_owned(),
            lanes,
            encoder: Arc::new(Encoder::new(SCHEMA, 1).unwrap()),
            registry: Arc::new(FakeRegistry { down: AtomicBool::new(false) }),
            sent: AtomicI64::new(0),
        }
    }

    /// The same database with a lane topic of another size.
    pub(crate) fn widened(&self, lanes: i32) -> Self {
        let broker = MemoryBroker::new(7);
        broker.create_topic(TOPIC, lanes);
        Self {
            broker,
            pool: self.pool.clone(),
            lane_topic: self.lane_topic.clone(),
            lanes,
            encoder: self.encoder.clone(),
            registry: self.registry.clone(),
            sent: AtomicI64::new(0),
        }
    }

    pub(crate) fn registry_is_down(&self, down: bool) {
        self.registry.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn member(&self) -> Member {
        self.join(false, |lane| Toy::new(lane, None))
    }

    /// Its lanes load for as long when they are claimed.
    pub(crate) fn member_that_loads_for(&self, time: Duration) -> Member {
        self.join(false, move |lane| Toy::new(lane, None).loading_for(time))
    }

    pub(crate) fn member_whose_calls_hang(&self) -> Member {
        self.join(true, |lane| Toy::new(lane, None))
    }

    /// Its first batch stops after the transaction began.
    pub(crate) fn member_held_in_its_transaction(&self, hold: Hold) -> Member {
        self.join(false, move |lane| Toy::new(lane, Some(hold.clone())))
    }

    /// It goes on with lanes that nobody takes over for as long as a test may take.
    pub(crate) fn member_that_stays(&self) -> Member {
        self.join_for(PATIENCE * 2, false, |lane| Toy::new(lane, None))
    }

    fn join(&self, calls_hang: bool, make: impl Fn(LaneId) -> Toy + Send + Sync + 'static) -> Member {
        self.join_for(Duration::from_millis(20), calls_hang, make)
    }

    fn join_for(
        &self,
        stay: Duration,
        calls_hang: bool,
        make: impl Fn(LaneId) -> Toy + Send + Sync + 'static,
    ) -> Member {
        let inbox = Arc::new(self.broker.join("toys", &self.lane_topic, &[]).unwrap());
        let catalog = Catalog::embedded().unwrap();
        let ports = Ports {
            pool: self.pool.clone(),
            inbox: inbox.clone(),
            publisher: Arc::new(self.broker.publisher()),
            schemas: self.registry.clone(),
            caller: Arc::new(ToyCaller { hangs: calls_hang }),
            decoder: Arc::new(Decoder::new(&catalog).unwrap()),
        };
        let settings = Settings { put_off: Duration::from_millis(20), stay, ..Settings::default() };
        let processor = Processor::new("toys", settings, ports, make);
        let stop = CancellationToken::new();
        let health = processor.health();
        let running = tokio::spawn(processor.run(stop.clone()));
        Member { inbox, stop, health, running }
    }

    pub(crate) fn record(&self, key: &str, told: &Told) -> Record {
        self.record_of(key, told, BTreeMap::new())
    }

    /// A record that concerns the flows of two keys.
    pub(crate) fn record_for_two(&self, key: &str, second: &str) -> Record {
        self.record_of(key, &Told::Record, BTreeMap::from([("second-key".to_owned(), second.to_owned())]))
    }

    /// A record of which the toy says by its heading that it is `never` of use, or `soon`.
    pub(crate) fn record_of_use(&self, when: &str, key: &str, told: &Told) -> Record {
        self.record_of(key, told, BTreeMap::from([("use".to_owned(), when.to_owned())]))
    }

    fn record_of(&self, key: &str, told: &Told, metadata: BTreeMap<String, String>) -> Record {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let (told, milliseconds) = match told {
            Told::Record => ("record", 0),
            Told::Panic => ("panic", 0),
            Told::Reject => ("reject", 0),
            Told::Poison => ("poison", 0),
            Told::Timer { milliseconds } => ("timer", *milliseconds),
            Told::CancelTimer => ("cancel_timer", 0),
            Told::Call => ("call", 0),
        };
        let envelope = Envelope {
            event_id: Uuid::new_v4(),
            event_type: "Toy".into(),
            event_version: 1,
            aggregate_id: key.into(),
            aggregate_type: "Toy".into(),
            occurred_at: chrono::Utc::now(),
            correlation_id: Uuid::new_v4(),
            causation_id: None,
            user_id: None,
            metadata,
            data: json!({"told": told, "number": number, "milliseconds": milliseconds}),
        };
        Record::new(TOPIC, key, self.encoder.encode(&envelope).unwrap())
    }

    /// A timer that has become due while nobody was there.
    pub(crate) async fn overdue_timer(&self, key: &str) {
        let member = self.member();
        self.send(key, Told::Timer { milliseconds: 600_000 }).await;
        self.until("it is set", async || self.timer_rows().await == 1).await;
        member.stop().await.unwrap();
        self.make_due(key).await;
    }

    /// So an earlier one would have fired, too.
    pub(crate) async fn later_timer_fires(&self, key: &str) {
        self.send(key, Told::Timer { milliseconds: 1 }).await;
        self.until("a later timer fired", async || self.fired().await.contains(&key.to_owned())).await;
    }

    pub(crate) async fn send(&self, key: &str, told: Told) {
        self.publish(self.record(key, &told)).await;
    }

    pub(crate) async fn send_to(&self, partition: i32, key: &str, told: Told) {
        self.publish(Record { partition: Some(partition), ..self.record(key, &told) }).await;
    }

    pub(crate) async fn publish(&self, record: Record) {
        // The receipt may be lost on purpose; the record is there.
        drop(self.broker.publisher().publish(vec![record]).await.unwrap());
    }

    /// Waits for it, not for a time.
    pub(crate) async fn until(&self, what: &str, reached: impl AsyncFn() -> bool) {
        let waiting = async {
            while !reached().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("it never came to this: {what}; handled: {}", self.handled().await);
        }
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    pub(crate) async fn handled(&self) -> i64 {
        self.count("SELECT count(*) FROM toy WHERE kind = 'message'").await
    }

    pub(crate) async fn answered_calls(&self) -> i64 {
        self.count("SELECT count(*) FROM toy WHERE kind = 'call'").await
    }

    /// How often lanes were claimed.
    pub(crate) async fn claims(&self) -> i64 {
        self.count("SELECT sum(epoch)::bigint FROM processor.lanes").await
    }

    pub(crate) async fn outbox_rows(&self) -> i64 {
        self.count("SELECT count(*) FROM processor.outbox").await
    }

    pub(crate) async fn timer_rows(&self) -> i64 {
        self.count("SELECT count(*) FROM processor.timers").await
    }

    pub(crate) async fn call_rows(&self) -> i64 {
        self.count("SELECT count(*) FROM processor.jobs").await
    }

    pub(crate) async fn fired(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT key FROM toy WHERE kind = 'timer' ORDER BY position")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn make_due(&self, timer: &str) {
        sqlx::query("UPDATE processor.timers SET due_at = now() - interval '1 hour' WHERE id = $1")
            .bind(timer)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Within each key, what was sent first was handled first.
    pub(crate) async fn assert_in_order(&self) {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT key, number FROM toy WHERE kind = 'message' ORDER BY position")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for (key, number) in rows {
            let before = last.insert(key.clone(), number);
            assert!(before.is_none_or(|before| before < number), "{key}: {before:?} then {number}");
        }
    }

    /// The lanes that decided on each key.
    pub(crate) async fn lanes_of_keys(&self) -> BTreeSet<(String, i32)> {
        let rows: Vec<(String, i32)> =
            sqlx::query_as("SELECT DISTINCT key, lane FROM toy").fetch_all(&self.pool).await.unwrap();
        rows.into_iter().collect()
    }

    pub(crate) fn home_lanes(&self, keys: usize) -> BTreeSet<(String, i32)> {
        (0..keys)
            .map(|n| format!("key-{n}"))
            .map(|key| (key.clone(), partition_for(key.as_bytes(), self.lanes)))
            .collect()
    }

    pub(crate) fn answers(&self) -> Vec<Value> {
        let text = |delivery: Delivery| String::from_utf8(delivery.value.unwrap_or_default()).unwrap();
        self.broker.records("answers").into_iter().map(|delivery| json!(text(delivery))).collect()
    }

    pub(crate) fn dead_letters(&self) -> Vec<Delivery> {
        self.broker.records("toys.commands.dlq")
    }
}
