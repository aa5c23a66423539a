//! A read model of the events that are there: how fast it catches up with the store, and what its queries notice of a
//! rebuild. The read model is in a database of its own, on the same server.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use backstitch_contracts::Envelope;
use backstitch_event_store::StoredEvent;
use backstitch_measure::figures::Row;
use backstitch_projection::admin::Admin;
use backstitch_projection::{
    Event, Projection, Projections, Settings, Sources, State, StoreSource, Table, Tables, Unfit, install, migrations,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::database::Database;

/// What `--only` is looked for in.
pub(crate) const NAMES: &str = "projection catch-up and rebuild while serving";
/// Of the streams that a database is filled with.
const CATEGORY: &str = "old";
const TOPIC: &str = "old.events";
const EVENTS_A_STREAM: u64 = 100;
/// How many ask at once.
const ASKING: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the amounts of each stream come to.
struct Accounts;

const ACCOUNTS: Table = Table::new("accounts", "account", "text");

#[derive(Debug, Clone)]
struct Noted {
    account: String,
    amount: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Account {
    account: String,
    events: i64,
    amount: i64,
}

#[async_trait]
impl Projection for Accounts {
    type Fact = Noted;

    fn name(&self) -> &'static str {
        "accounts"
    }

    fn shape(&self) -> i32 {
        1
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn tables(&self) -> Tables {
        Tables {
            ddl: "CREATE TABLE accounts (
                account text PRIMARY KEY,
                events  bigint NOT NULL DEFAULT 0,
                amount  bigint NOT NULL DEFAULT 0
            )",
            shown: &["accounts"],
            compared: &["accounts"],
        }
    }

    fn read(&self, event: &Event) -> Result<Option<Noted>, Unfit> {
        let amount = event.envelope.data["amount"].as_i64().ok_or_else(|| Unfit::new("invalid", "no amount"))?;
        Ok(Some(Noted { account: event.envelope.aggregate_id.clone(), amount }))
    }

    async fn apply(&self, facts: Vec<Noted>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let keys: BTreeSet<String> = facts.iter().map(|fact| fact.account.clone()).collect();
        let mut rows: BTreeMap<String, Account> = ACCOUNTS.lock(&keys, db).await?;
        for fact in facts {
            if let Some(row) = rows.get_mut(&fact.account) {
                (row.events, row.amount) = (row.events + 1, row.amount + fact.amount);
            }
        }
        ACCOUNTS.save(&rows.into_values().collect::<Vec<_>>(), db).await
    }
}

fn published(stored: &StoredEvent) -> Option<Envelope> {
    let event = stored.event.clone();
    Some(Envelope {
        event_id: event.event_id,
        event_type: event.event_type,
        event_version: event.event_version,
        aggregate_id: stored.stream.key().to_owned(),
        aggregate_type: event.aggregate_type,
        occurred_at: event.occurred_at,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        user_id: event.user_id,
        metadata: BTreeMap::new(),
        data: event.data,
    })
}

pub(crate) async fn measure(server: &str, events: u64, shares: NonZeroU32, window: Duration) -> Result<Vec<Row>> {
    let written = Database::fresh(server, events).await?;
    let read = Database::fresh(server, 0).await?;
    migrations().run(&read.pool).await?;
    install(&Accounts, &read.pool).await?;
    let admin = Admin::new(read.pool.clone()).with(Accounts)?;
    let store = Arc::new(written.store());
    let source = StoreSource { store, categories: vec![CATEGORY], shares, published: Arc::new(published) };
    let sources = Sources::only_stores(BTreeMap::from([(TOPIC, source)]))?;
    let settings = Settings { look_every: LOOK_EVERY, ..Settings::new("bench") };
    let projections = Projections::new(&admin, sources, settings);
    let stop = CancellationToken::new();
    let began = Instant::now();
    let running = tokio::spawn(projections.run(stop.clone()));
    until_applied(&admin, events).await?;
    let mut rows = vec![Row::of("projection catch-up", "events", events, began.elapsed(), Vec::new())];

    let streams = events.div_ceil(EVENTS_A_STREAM).max(1);
    let asking = Asking::start(&read.pool, streams);
    tokio::time::sleep(window).await;
    rows.push(asking.ends("queries of one row, before the rebuild").await?);

    let asking = Asking::start(&read.pool, streams);
    let began = Instant::now();
    let version = admin.rebuild("accounts", "bench", true).await?;
    until_live(&admin, version).await?;
    let took = began.elapsed();
    rows.push(asking.ends("queries of one row, during the rebuild").await?);
    rows.push(Row::of("rebuild while serving, verified and swapped", "events", events, took, Vec::new()));

    stop.cancel();
    running.await?;
    read.drop().await?;
    written.drop().await?;
    Ok(rows)
}

async fn until_applied(admin: &Admin, events: u64) -> Result<()> {
    loop {
        let applied: i64 = admin.list().await?.iter().map(|version| version.applied).sum();
        if u64::try_from(applied)? >= events {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn until_live(admin: &Admin, version: i32) -> Result<()> {
    loop {
        for status in admin.list().await?.into_iter().filter(|status| status.version == version) {
            if status.state == State::Live {
                return Ok(());
            }
            ensure!(status.verdict.is_none_or(|verdict| verdict.is_good()), "the rebuilt version differs");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// People who ask one question after the other.
struct Asking {
    asking: JoinSet<Result<Vec<Duration>>>,
    stop: CancellationToken,
    began: Instant,
}

impl Asking {
    fn start(pool: &PgPool, streams: u64) -> Self {
        let (mut asking, stop) = (JoinSet::new(), CancellationToken::new());
        for _ in 0..ASKING {
            asking.spawn(ask(pool.clone(), streams, stop.clone()));
        }
        Self { asking, stop, began: Instant::now() }
    }

    async fn ends(self, name: &'static str) -> Result<Row> {
        self.stop.cancel();
        let window = self.began.elapsed();
        let mut times = Vec::new();
        for one in self.asking.join_all().await {
            times.extend(one?);
        }
        Ok(Row::of(name, "queries", times.len() as u64, window, times))
    }
}

async fn ask(pool: PgPool, streams: u64, stop: CancellationToken) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while !stop.is_cancelled() {
        let account = fastrand::u64(0..streams).to_string();
        let began = Instant::now();
        let amount: Option<i64> = sqlx::query_scalar("SELECT amount FROM read.accounts WHERE account = $1")
            .bind(&account)
            .fetch_optional(&pool)
            .await?;
        ensure!(amount.is_some(), "account {account} is missing");
        times.push(began.elapsed());
    }
    Ok(times)
}
