//! The order service's read models on a real Postgres, from its topic and from its store: the rows are the same, and a
//! deployment may change from one to the other. The broker is the in-memory one, a FAKE.
//!
//! Needs `POSTGRES_ADMIN_URL` (`source target/stack/env`); each test makes databases of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::inventory::InventoryReserved;
use backstitch_contracts::orders::{self, Flow, OrderCancelled, OrderConfirmed, OrderLine, OrderPlacedV3};
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope, Payload, customers, inventory, shipping};
use backstitch_domain::{Currency, CustomerId, OrderId, PaymentId, ProductId, Quantity};
use backstitch_event_store::{AppendRequest, EventStore as _, ExpectedVersion, NewEvent, StreamVersion};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_messaging::memory::MemoryBroker;
use backstitch_messaging::{Inbox, Publisher as _, Record, SchemaSource, SchemaSourceError};
use backstitch_order::domain::{OrderEvent, ReservationNoted};
use backstitch_order::handlers::{Orders, stream};
use backstitch_order::read;
use backstitch_participant::published;
use backstitch_projection::{Inboxes, JoinError, Projections, Settings, Sources, State};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);
const ORDERS: u128 = 40;
/// Every third is cancelled, every other is confirmed.
const CONFIRMED: usize = 26;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

/// What happens to an order, as its stream has it; the private events among them.
fn life_of(number: u128) -> Vec<OrderEvent> {
    let order_id = OrderId::new(Uuid::from_u128(number + 1));
    let (product_id, quantity) = (ProductId::new(["lamp", "desk"][(number % 2) as usize]).unwrap(), 1 + number % 4);
    let quantity = Quantity::new(i64::try_from(quantity).unwrap()).unwrap();
    let line_total = 1_000 * i64::from(quantity.units());
    let placed = OrderPlacedV3 {
        order_id,
        customer_id: CustomerId::new(Uuid::from_u128(1_000 + number % 5)),
        order_items: vec![OrderLine { product_id, quantity, unit_price: 1_000, line_total }],
        total_amount: line_total,
        currency: Currency::EUR,
        shipping_address: None,
        flow: Flow::Orchestrated,
    };
    let noted = OrderEvent::ReservationNoted(ReservationNoted { reserved_until: at(15) });
    let end = if number.is_multiple_of(3) {
        OrderEvent::OrderCancelled(OrderCancelled { order_id, reason: "called off".into(), cancelled_at: at(3) })
    } else {
        let payment_id = PaymentId::new(Uuid::from_u128(2_000 + number));
        OrderEvent::OrderConfirmed(OrderConfirmed { order_id, payment_id, confirmed_at: at(2) })
    };
    vec![OrderEvent::OrderPlaced(placed), noted, end]
}

fn stored(event: &OrderEvent) -> NewEvent {
    let tagged = serde_json::to_value(event).unwrap();
    let (event_type, data) = tagged.as_object().unwrap().iter().next().unwrap();
    NewEvent {
        event_id: Uuid::new_v4(),
        event_type: event_type.clone(),
        event_version: if event_type == "OrderPlaced" { OrderPlacedV3::EVENT_VERSION } else { 1 },
        aggregate_type: "Order".to_owned(),
        occurred_at: at(1),
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        user_id: None,
        data: data.clone(),
        metadata: json!({"source": "order"}),
    }
}

/// A FAKE registry with the schemas of this release, numbered as the catalog lists them.
struct Schemas(Catalog);

impl Schemas {
    fn encoder(&self, topic: &str) -> Encoder {
        let id = self.0.topics().position(|known| known.name == topic).unwrap();
        Encoder::new(self.0.topic(topic).unwrap().schema.as_ref().unwrap(), u32::try_from(id).unwrap()).unwrap()
    }
}

#[async_trait]
impl SchemaSource for Schemas {
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError> {
        let known = self.0.topics().nth(id as usize).and_then(|topic| topic.schema.clone());
        known.map(|text| text.to_string()).ok_or(SchemaSourceError::Unknown { id })
    }
}

struct MemoryInboxes(MemoryBroker);

#[async_trait]
impl Inboxes for MemoryInboxes {
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError> {
        let joined = self.0.join(group, lane_topic, inputs);
        joined
            .map(|inbox| Arc::new(inbox) as Arc<dyn Inbox>)
            .map_err(|error| JoinError { group: group.to_owned(), reason: error.to_string() })
    }
}

/// Where the orders' own events are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Topic,
    Store,
}

struct World {
    admin: PgPool,
    server: String,
    broker: MemoryBroker,
    schemas: Arc<Schemas>,
    store: Arc<PostgresStore>,
}

struct Member {
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Member {
    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

impl World {
    async fn new() -> Self {
        let admin_url = std::env::var("POSTGRES_ADMIN_URL").expect("POSTGRES_ADMIN_URL: source target/stack/env first");
        let admin = PgPoolOptions::new().max_connections(1).connect(&admin_url).await.unwrap();
        let server = admin_url.rsplit_once('/').unwrap().0.to_owned();
        let broker = MemoryBroker::new(7);
        for topic in [orders::EVENTS, inventory::EVENTS, shipping::EVENTS, customers::EVENTS] {
            broker.create_topic(topic, 3);
        }
        let schemas = Arc::new(Schemas(Catalog::embedded().unwrap()));
        let events = database(&admin, &server).await;
        backstitch_event_store_postgres::migrations().run(&events).await.unwrap();
        let store = Arc::new(PostgresStore::new(events));
        Self { admin, server, broker, schemas, store }
    }

    async fn read_database(&self) -> PgPool {
        let pool = database(&self.admin, &self.server).await;
        backstitch_projection::migrations().run(&pool).await.unwrap();
        read::install(&pool).await.unwrap();
        pool
    }

    fn member(&self, pool: &PgPool, from: From) -> Member {
        let stores = match from {
            From::Topic => BTreeMap::new(),
            From::Store => BTreeMap::from([(orders::EVENTS, read::own_store(self.store.clone()))]),
        };
        let sources = Sources {
            inboxes: Arc::new(MemoryInboxes(self.broker.clone())),
            decoder: Arc::new(Decoder::new(&self.schemas.0).unwrap()),
            schemas: self.schemas.clone(),
            stores,
        };
        // One for each read database: its members share the lanes out.
        let group = pool.connect_options().get_database().unwrap_or("reads").to_owned();
        let settings = Settings { look_every: Duration::from_millis(20), ..Settings::new(group) };
        let projections = Projections::new(&read::models(pool.clone()).unwrap(), sources, settings);
        let stop = CancellationToken::new();
        Member { running: tokio::spawn(projections.run(stop.clone())), stop }
    }

    /// Written to its stream, and published as the service publishes it.
    async fn happens(&self, number: u128) {
        let events: Vec<NewEvent> = life_of(number).iter().map(stored).collect();
        let stream = stream(OrderId::new(Uuid::from_u128(number + 1)));
        let request = AppendRequest::new().write(stream.clone(), ExpectedVersion::NoStream, events);
        self.store.append(request).await.unwrap();
        let told = self.store.load(&stream, StreamVersion::NONE).await.unwrap();
        for envelope in told.iter().filter_map(published::<Orders>) {
            self.publish(orders::EVENTS, &envelope).await;
        }
    }

    /// Another service says that an order's items are reserved.
    async fn is_reserved(&self, number: u128) {
        let order_id = OrderId::new(Uuid::from_u128(number + 1));
        let reserved = InventoryReserved { order_id, items: Vec::new(), reserved_until: at(15) };
        let envelope = Envelope {
            event_id: Uuid::new_v4(),
            event_type: InventoryReserved::EVENT_TYPE.to_owned(),
            event_version: InventoryReserved::EVENT_VERSION,
            aggregate_id: order_id.to_string(),
            aggregate_type: "Reservation".to_owned(),
            occurred_at: at(1),
            correlation_id: Uuid::from_u128(7),
            causation_id: None,
            user_id: None,
            metadata: BTreeMap::from([("source".to_owned(), "inventory".to_owned())]),
            data: serde_json::to_value(&reserved).unwrap(),
        };
        self.publish(inventory::EVENTS, &envelope).await;
    }

    async fn publish(&self, topic: &str, envelope: &Envelope) {
        let value = self.schemas.encoder(topic).encode(envelope).unwrap();
        let record = Record::new(topic, &envelope.aggregate_id, value);
        drop(self.broker.publisher().publish(vec![record]).await.unwrap());
    }
}

async fn database(admin: &PgPool, server: &str) -> PgPool {
    let name = format!("order_{}", Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(admin).await.unwrap();
    PgPoolOptions::new().max_connections(20).connect(&format!("{server}/{name}")).await.unwrap()
}

/// All that queries can see.
async fn shown(pool: &PgPool) -> BTreeMap<&'static str, Vec<Value>> {
    let mut shown = BTreeMap::new();
    for table in ["orders", "customer_totals", "stock", "sales"] {
        let sql = format!("SELECT to_jsonb(t) FROM read.{table} AS t ORDER BY t::text");
        shown.insert(table, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap());
    }
    shown
}

async fn count(pool: &PgPool, status: &'static str) -> usize {
    let sql = "SELECT count(*) FROM read.orders WHERE status = $1";
    let count: i64 = sqlx::query_scalar(sql).bind(status).fetch_one(pool).await.unwrap();
    usize::try_from(count).unwrap()
}

async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let waiting = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it never came to this: {what}");
}

async fn until_all_show(pool: &PgPool, confirmed: usize, orders: u128) {
    let all = usize::try_from(orders).unwrap();
    until("all orders show what became of them", async || {
        let sold: Option<i64> =
            sqlx::query_scalar("SELECT sum(orders)::bigint FROM read.sales").fetch_one(pool).await.unwrap();
        count(pool, "confirmed").await == confirmed
            && count(pool, "cancelled").await == all - confirmed
            && sold == i64::try_from(confirmed).ok()
            && shown(pool).await["orders"].iter().all(|row| !row["reserved_at"].is_null())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_from_the_store_show_what_read_models_from_the_topic_show() {
    let world = World::new().await;
    let (by_topic, by_store) = (world.read_database().await, world.read_database().await);
    let members = [world.member(&by_topic, From::Topic), world.member(&by_store, From::Store)];
    for number in 0..ORDERS {
        world.is_reserved(number).await;
        world.happens(number).await;
    }
    until_all_show(&by_topic, CONFIRMED, ORDERS).await;
    until_all_show(&by_store, CONFIRMED, ORDERS).await;
    until("both show the same", async || shown(&by_topic).await == shown(&by_store).await).await;

    // Rebuilt from there, too, while it serves.
    let admin = read::models(by_store.clone()).unwrap();
    for model in ["orders", "stock", "sales"] {
        assert_eq!(admin.rebuild(model, "ann", true).await.unwrap(), 2);
    }
    until("all three are rebuilt and alone", async || {
        let versions = admin.list().await.unwrap();
        versions.len() == 3 && versions.iter().all(|it| (it.version, it.state) == (2, State::Live))
    })
    .await;
    for version in admin.list().await.unwrap() {
        assert!(version.verdict.as_ref().is_some_and(backstitch_projection::Verdict::is_good), "{version:?}");
        assert_eq!(version.skipped, 0);
    }
    assert_eq!(shown(&by_topic).await, shown(&by_store).await);
    for member in members {
        member.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_changes_from_the_topic_to_the_store_and_back_and_nothing_counts_twice() {
    let world = World::new().await;
    let pool = world.read_database().await;
    let mut confirmed = 0;
    for (round, from) in [From::Topic, From::Store, From::Topic].into_iter().enumerate() {
        let member = world.member(&pool, from);
        let numbers = (round as u128 * 10)..(round as u128 * 10 + 10);
        for number in numbers.clone() {
            world.is_reserved(number).await;
            world.happens(number).await;
            confirmed += usize::from(number % 3 != 0);
        }
        until_all_show(&pool, confirmed, numbers.end).await;
        // Only what is read now has a checkpoint: else a rebuild would wait for the other for ever.
        let is_of_the_store = async |topic: &str| {
            let sql = "SELECT count(*) FROM projection.checkpoints WHERE starts_with(topic, $1)";
            sqlx::query_scalar::<_, i64>(sql).bind(topic).fetch_one(&pool).await.unwrap() > 0
        };
        assert_eq!(is_of_the_store("store:orders.events").await, from == From::Store);
        assert_eq!(is_of_the_store("orders.events").await, from == From::Topic);
        let admin = read::models(pool.clone()).unwrap();
        let version = admin.rebuild("sales", "ann", true).await.unwrap();
        until("it is rebuilt from there", async || {
            let versions = admin.list().await.unwrap();
            let mut sales = versions.iter().filter(|it| it.name == "sales");
            sales.next().is_some_and(|it| (it.version, it.state) == (version, State::Live)) && sales.next().is_none()
        })
        .await;
        until_all_show(&pool, confirmed, numbers.end).await;
        member.stop().await;
    }
}
