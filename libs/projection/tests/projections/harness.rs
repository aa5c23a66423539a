//! A read database, a broker, a store, and members that come and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_event_store::{AppendRequest, EventStore as _, ExpectedVersion};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_messaging::memory::{MemoryBroker, MemoryInbox};
use backstitch_messaging::{Inbox, Publisher as _, Record, SchemaSource, SchemaSourceError};
use backstitch_projection::admin::Admin;
use backstitch_projection::{
    Health, Inboxes, JoinError, Projections, Settings, Sources, State, VersionStatus, install, migrations,
};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::toy::{OTHER, TOPIC, Toy, store_of, stored, stream};

const SCHEMA: &str = include_str!("toy.avsc");
const PATIENCE: Duration = Duration::from_secs(60);

/// Which topics are read where their events are stored, in so many shares.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) topics: &'static [&'static str],
    pub(crate) shares: u32,
}

/// Everything that members share.
pub(crate) struct Bench {
    /// Another database, as that of a service's events is.
    write_url: String,
    store: PostgresStore,
    stored: Stored,
    pub(crate) broker: MemoryBroker,
    pub(crate) pool: PgPool,
    url: String,
    encoder: Encoder,
    registry: Arc<FakeRegistry>,
    sent: AtomicI64,
}

/// A FAKE registry with one schema, which a test can switch off.
#[derive(Default)]
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

/// Memberships on the broker in memory, remembered so that a killed member's can be declared dead.
struct MemoryInboxes {
    broker: MemoryBroker,
    joined: Arc<Mutex<Vec<Arc<MemoryInbox>>>>,
}

#[async_trait]
impl Inboxes for MemoryInboxes {
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError> {
        let joined = self.broker.join(group, lane_topic, inputs);
        let inbox = Arc::new(joined.map_err(|error| JoinError { group: group.to_owned(), reason: error.to_string() })?);
        self.joined.lock().unwrap().push(inbox.clone());
        Ok(inbox)
    }
}

/// A process with projections: a runtime of its own, which can be ended as `kill -9` ends a process.
pub(crate) struct Member {
    runtime: Runtime,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    joined: Arc<Mutex<Vec<Arc<MemoryInbox>>>>,
    health: Health,
}

impl Member {
    /// Leaves in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap();
        self.runtime.shutdown_background();
    }

    /// Goes without a word: whatever it was at stays where it is, and the group finds out.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
        take_for_dead(&self.joined);
    }

    /// The group gives its lanes to others, and it does not know.
    pub(crate) fn becomes_a_zombie(&self) {
        take_for_dead(&self.joined);
    }

    pub(crate) fn problem(&self) -> Option<String> {
        self.health.problem()
    }
}

fn take_for_dead(joined: &Mutex<Vec<Arc<MemoryInbox>>>) {
    for inbox in joined.lock().unwrap().iter() {
        inbox.expire();
    }
}

impl Bench {
    pub(crate) async fn new(lanes: i32) -> Self {
        Self::with(lanes, Stored { topics: &[], shares: 1 }).await
    }

    /// All events come from a store.
    pub(crate) async fn on_store(shares: u32) -> Self {
        Self::with(1, Stored { topics: &[TOPIC, OTHER], shares }).await
    }

    /// Some events come from a store, the others from their topic.
    pub(crate) async fn on_both(lanes: i32, shares: u32) -> Self {
        Self::with(lanes, Stored { topics: &[TOPIC], shares }).await
    }

    async fn with(lanes: i32, stored: Stored) -> Self {
        let admin_url = std::env::var("POSTGRES_ADMIN_URL").expect("POSTGRES_ADMIN_URL: source target/stack/env first");
        let admin = PgPoolOptions::new().max_connections(1).connect(&admin_url).await.unwrap();
        let name = format!("projections_{}", Uuid::new_v4().simple());
        let write_name = format!("{name}_events");
        for name in [&name, &write_name] {
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
        }
        let (server, _) = admin_url.rsplit_once('/').unwrap();
        let (url, write_url) = (format!("{server}/{name}"), format!("{server}/{write_name}"));
        let write_pool = PgPoolOptions::new().max_connections(5).connect(&write_url).await.unwrap();
        backstitch_event_store_postgres::migrations().run(&write_pool).await.unwrap();
        let store = PostgresStore::new(write_pool);
        let pool = PgPoolOptions::new().max_connections(5).connect(&url).await.unwrap();
        migrations().run(&pool).await.unwrap();
        install(&Toy { shape: 1 }, &pool).await.unwrap();
        let broker = MemoryBroker::new(7);
        broker.create_topic(TOPIC, lanes);
        broker.create_topic(OTHER, lanes + 1);
        let (encoder, registry) = (Encoder::new(SCHEMA, 1).unwrap(), Arc::default());
        Self { write_url, store, stored, broker, pool, url, encoder, registry, sent: AtomicI64::new(0) }
    }

    pub(crate) fn registry_is_down(&self, down: bool) {
        self.registry.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn member(&self) -> Member {
        self.member_of_shape(1)
    }

    pub(crate) fn member_of_shape(&self, shape: i32) -> Member {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let within = runtime.enter();
        let pool = PgPoolOptions::new().max_connections(10).connect_lazy(&self.url).unwrap();
        let admin = Admin::new(pool).with(Toy { shape }).unwrap();
        let joined: Arc<Mutex<Vec<_>>> = Arc::default();
        let write_pool = PgPoolOptions::new().max_connections(10).connect_lazy(&self.write_url).unwrap();
        let store = Arc::new(PostgresStore::new(write_pool));
        let shares = self.stored.shares;
        let stores = self.stored.topics.iter().map(|topic| (*topic, store_of(topic, store.clone(), shares)));
        let sources = Sources {
            inboxes: Arc::new(MemoryInboxes { broker: self.broker.clone(), joined: joined.clone() }),
            decoder: Arc::new(Decoder::new(&Catalog::embedded().unwrap()).unwrap()),
            schemas: self.registry.clone(),
            stores: stores.collect(),
        };
        let settings = Settings { look_every: Duration::from_millis(20), batch_max: 50, ..Settings::new("toys") };
        let projections = Projections::new(&admin, sources, settings);
        let (stop, health) = (CancellationToken::new(), projections.health());
        let running = runtime.spawn(projections.run(stop.clone()));
        drop(within);
        Member { runtime, stop, running, joined, health }
    }

    pub(crate) const fn store(&self) -> &PostgresStore {
        &self.store
    }

    pub(crate) async fn write_pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(3).connect(&self.write_url).await.unwrap()
    }

    /// What a person asks through.
    pub(crate) fn admin(&self) -> Admin {
        Admin::new(self.pool.clone()).with(Toy { shape: 1 }).unwrap()
    }

    pub(crate) async fn send(&self, key: &str, told: &str) {
        if self.stored.topics.contains(&TOPIC) {
            self.store.append(self.request(TOPIC, key, told)).await.unwrap();
        } else {
            self.publish(self.record(TOPIC, key, told)).await;
        }
    }

    fn request(&self, topic: &str, key: &str, told: &str) -> AppendRequest {
        let event = stored(self.envelope(key, told));
        AppendRequest::new().write(stream(topic, key), ExpectedVersion::Any, vec![event])
    }

    pub(crate) async fn send_many(&self, count: usize) {
        let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for n in 0..count {
            let topic = if n % 3 == 0 { OTHER } else { TOPIC };
            // A key is told of in one topic alone: only there has it an order.
            let key = format!("{topic} {}", n % 17);
            if self.stored.topics.contains(&topic) {
                events.entry(stream(topic, &key)).or_default().push(stored(self.envelope(&key, "count")));
            } else {
                self.publish(self.record(topic, &key, "count")).await;
            }
        }
        // At once: a stream's own are in their order, and streams meet in any.
        let write = |(stream, events)| AppendRequest::new().write(stream, ExpectedVersion::Any, events);
        for appended in self.store.append_each(events.into_iter().map(write).collect()).await {
            appended.unwrap();
        }
    }

    pub(crate) fn record(&self, topic: &str, key: &str, told: &str) -> Record {
        Record::new(topic, key, self.encoder.encode(&self.envelope(key, told)).unwrap())
    }

    pub(crate) fn envelope(&self, key: &str, told: &str) -> Envelope {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        Envelope {
            event_id: Uuid::new_v4(),
            event_type: "Toy".into(),
            event_version: 1,
            aggregate_id: key.into(),
            aggregate_type: "Toy".into(),
            occurred_at: chrono::Utc::now(),
            correlation_id: Uuid::new_v4(),
            causation_id: None,
            user_id: None,
            metadata: BTreeMap::new(),
            data: json!({"told": told, "number": number, "milliseconds": 0}),
        }
    }

    pub(crate) async fn publish(&self, record: Record) {
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
            panic!(
                "it never came to this: {what}; counted: {}; versions: {:#?}",
                self.counted().await,
                self.versions().await
            );
        }
    }

    /// As a query sees it.
    pub(crate) async fn counted(&self) -> i64 {
        sqlx::query_scalar("SELECT coalesce(sum(count), 0)::bigint FROM read.tallies")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Once so many are counted, nothing was counted twice, nothing out of order, and the sums agree.
    pub(crate) async fn until_counted(&self, count: i64) {
        self.until(&format!("{count} are counted"), async || self.counted().await >= count).await;
        assert_eq!(self.counted().await, count);
        let in_order: bool =
            sqlx::query_scalar("SELECT bool_and(in_order) FROM read.tallies").fetch_one(&self.pool).await.unwrap();
        assert!(in_order);
        let summed: i64 = sqlx::query_scalar("SELECT times FROM read.sums").fetch_one(&self.pool).await.unwrap();
        assert_eq!(summed, count);
    }

    pub(crate) async fn versions(&self) -> Vec<VersionStatus> {
        self.admin().list().await.unwrap()
    }

    pub(crate) async fn live(&self) -> i32 {
        let versions = self.versions().await;
        versions.iter().find(|version| version.state == State::Live).unwrap().version
    }

    /// Once this version is the only one that has tables.
    pub(crate) async fn until_only(&self, version: i32) {
        let alone = async || {
            let versions = self.versions().await;
            versions.iter().map(|known| known.version).eq([version]) && self.live().await == version
        };
        self.until(&format!("version {version} is alone"), alone).await;
        let schemas: Vec<String> =
            sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'toy_v%'")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        assert_eq!(schemas, [format!("toy_v{version}")]);
    }

    /// Offset and reason of what was skipped by a version.
    pub(crate) async fn skipped(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT reason, detail FROM projection.skipped ORDER BY \"offset\"")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }
}
