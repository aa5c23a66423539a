//! A model of Postgres: the rows of one service, statements that are all or nothing, row locks, and connections that
//! break before or after the server has done what was asked. Separate from the processor, which takes it for the real one.

mod error;
mod locks;
mod openings;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_event_store::{Cursor, StoredEvent, StreamId, StreamVersion};
use backstitch_messaging::LaneId;
use backstitch_orchestrator::store::{JournalRow, SagaRow, SagaStore};
use backstitch_participant::{Placed, Source, Streams, Writers};
use backstitch_processor::{Claim, Database, Effects, Fence, Store};
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::life::Life;
use crate::mutation::Mutation;
use crate::world::{World, lock};
use error::{canceled, lost};
use locks::{Locks, Row, TransactionId};
pub(crate) use tables::{Batch, Tables};

/// How long a statement waits for a lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// One service's database.
pub(crate) struct Postgres {
    pub(crate) name: String,
    world: Arc<World>,
    pub(crate) tables: Mutex<Tables>,
    locks: Mutex<Locks>,
    freed: Notify,
    down: AtomicBool,
    /// Counts changes of openings, for those who wait for them.
    openings: watch::Sender<u64>,
}

impl Postgres {
    pub(crate) fn new(name: &str, world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            world: world.clone(),
            tables: Mutex::default(),
            locks: Mutex::default(),
            freed: Notify::new(),
            down: AtomicBool::new(false),
            openings: watch::Sender::new(0),
        })
    }

    /// Tells when openings have changed.
    pub(crate) fn watch_openings(&self) -> watch::Receiver<u64> {
        self.openings.subscribe()
    }

    /// No connection works while it is down.
    pub(crate) fn set_down(&self, down: bool) {
        self.world.tell(|| format!("the database of {} is {}", self.name, if down { "down" } else { "up" }));
        self.down.store(down, Ordering::Relaxed);
        if down {
            *lock(&self.locks) = Locks::default();
            self.freed.notify_waiters();
        }
    }

    /// The server gives up on what a process has left open.
    pub(crate) fn abort(&self, owner: &str) {
        let aborted = lock(&self.locks).abort(owner);
        if aborted > 0 {
            self.world.tell(|| format!("the database of {} aborts a transaction of {owner}", self.name));
            self.freed.notify_waiters();
        }
    }

    /// Waits until `taken` says yes.
    async fn wait(&self, mut taken: impl FnMut(&mut Locks) -> bool) -> Result<(), sqlx::Error> {
        let waiting = async {
            loop {
                let freed = self.freed.notified();
                if taken(&mut lock(&self.locks)) {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(LOCK_PATIENCE, waiting).await.map_err(|_| canceled())
    }
}

/// Where the lanes of one process get their connections.
pub(crate) struct Server {
    pub(crate) database: Arc<Postgres>,
    pub(crate) life: Arc<Life>,
}

/// A connection of one lane.
pub(crate) struct Connection {
    database: Arc<Postgres>,
    life: Arc<Life>,
    transaction: Option<TransactionId>,
    broken: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(id) = self.transaction.take() {
            lock(&self.database.locks).end(id);
            self.database.freed.notify_waiters();
        }
    }
}

impl Connection {
    async fn live_rows(&mut self, lane: LaneId) -> Result<Vec<SagaRow>, sqlx::Error> {
        self.reach("live sagas").await?;
        let tables = lock(&self.database.tables);
        let forgets = self.mutation() == Some(Mutation::ClaimForgetsWhoWaits);
        let live = tables.sagas.values().filter(|(at, row)| *at == lane.0 && row.finished_at.is_none());
        let live = live.filter(|(_, row)| !(forgets && row.state.contains(r#""for":"turn""#)));
        Ok(live.map(|(_, row)| row.clone()).collect())
    }

    /// On the way to the server: the process may stop here, and the connection may break.
    async fn reach(&mut self, what: &str) -> Result<(), sqlx::Error> {
        self.life.travel(what).await;
        if self.broken || self.database.down.load(Ordering::Relaxed) || self.life.falls(3) {
            return Err(self.break_off(what, "before"));
        }
        Ok(())
    }

    /// On the way back: what was asked for is done, whether or not anybody hears of it.
    async fn hear_back(&mut self, what: &str) -> Result<(), sqlx::Error> {
        self.life.point(what).await;
        if self.life.falls(3) {
            return Err(self.break_off(what, "after"));
        }
        Ok(())
    }

    fn break_off(&mut self, what: &str, when: &str) -> sqlx::Error {
        self.life.world.tell(|| format!("{} loses its connection {when} `{what}`", self.life.name));
        self.broken = true;
        if let Some(id) = self.transaction.take() {
            lock(&self.database.locks).end(id);
            self.database.freed.notify_waiters();
        }
        lost()
    }

    fn mutation(&self) -> Option<Mutation> {
        self.database.world.mutation
    }

    /// The transaction in hand, if the server has not given up on it.
    fn ongoing(&self) -> Result<Option<TransactionId>, sqlx::Error> {
        match self.transaction {
            Some(id) if !lock(&self.database.locks).open.contains_key(&id) => Err(lost()),
            transaction => Ok(transaction),
        }
    }

    async fn take(&self, rows: BTreeSet<Row>, by: TransactionId) -> Result<(), sqlx::Error> {
        self.database.wait(|locks| !locks.open.contains_key(&by) || locks.take(&rows, by)).await?;
        self.ongoing().map(drop)
    }

    /// The rows that one statement touches are free: it takes and leaves them in one moment.
    async fn wait_for_lane(&self, lane: i32) -> Result<(), sqlx::Error> {
        self.database.wait(|locks| locks.is_free(&Row::Lane(lane))).await
    }

    /// All of them or nothing, outside an explicit transaction.
    async fn write_all(&self, batches: &[&Batch]) -> Result<(), sqlx::Error> {
        for batch in batches {
            self.wait_for_lane(batch.lane).await?;
        }
        for batch in batches {
            lock(&self.database.tables).check(batch, self.mutation())?;
        }
        for batch in batches {
            self.apply((*batch).clone());
        }
        Ok(())
    }

    fn apply(&self, batch: Batch) {
        self.life.world.tell(|| format!("{} writes: {}", self.life.name, batch.describe()));
        lock(&self.database.tables).apply(batch, self.mutation());
    }
}

#[async_trait]
impl Store for Server {
    type Db = Connection;
    type Lease = Box<Connection>;

    async fn lease(&self) -> Result<Box<Connection>, sqlx::Error> {
        let (database, life) = (self.database.clone(), self.life.clone());
        let mut connection = Connection { database, life, transaction: None, broken: false };
        connection.reach("connect").await?;
        Ok(Box::new(connection))
    }

    async fn layout(&self, lane_topic: &str, lanes: i32) -> Result<(String, i32), sqlx::Error> {
        let mut connection = self.lease().await?;
        connection.reach("layout").await?;
        let mut tables = lock(&self.database.tables);
        Ok(tables.layout.get_or_insert_with(|| (lane_topic.to_owned(), lanes)).clone())
    }
}

#[async_trait]
impl Database for Connection {
    type Batch = Batch;

    async fn claim(&mut self, lane: LaneId, owner: &str) -> Result<Claim, sqlx::Error> {
        self.reach("claim").await?;
        self.wait_for_lane(lane.0).await?;
        let claim = lock(&self.database.tables).claim(lane, self.database.world.now(), self.mutation());
        self.life.world.tell(|| format!("{owner} claims lane {lane} under epoch {}", claim.epoch));
        self.hear_back("claimed").await?;
        Ok(claim)
    }

    fn open(fence: &Fence<'_>, effects: &Effects) -> Result<Batch, sqlx::Error> {
        Ok(Batch::open(fence, effects))
    }

    async fn write(&mut self, batch: &Batch) -> Result<DateTime<Utc>, sqlx::Error> {
        self.reach("write").await?;
        match self.ongoing()? {
            Some(id) => {
                let mut rows = BTreeSet::from([Row::Lane(batch.lane)]);
                rows.extend(batch.events.iter().map(|(stream, ..)| Row::Head(stream.clone())));
                self.take(rows, id).await?;
                lock(&self.database.tables).check(batch, self.mutation())?;
                if let Some(transaction) = lock(&self.database.locks).open.get_mut(&id) {
                    transaction.batch = Some(batch.clone());
                }
            }
            None => self.write_all(&[batch]).await?,
        }
        let now = self.database.world.now();
        self.hear_back("written").await?;
        Ok(now)
    }

    async fn write_together(&mut self, batches: &[&Batch]) -> Result<DateTime<Utc>, sqlx::Error> {
        self.reach("write together").await?;
        self.write_all(batches).await?;
        let now = self.database.world.now();
        self.hear_back("written together").await?;
        Ok(now)
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.reach("begin").await?;
        self.transaction = Some(lock(&self.database.locks).begin(&self.life.name));
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.reach("commit").await?;
        let Some(id) = self.transaction.take() else { return Err(lost()) };
        let Some(ended) = lock(&self.database.locks).end(id) else { return Err(self.break_off("commit", "before")) };
        if let Some(batch) = ended.batch {
            self.apply(batch);
        }
        self.database.freed.notify_waiters();
        self.hear_back("committed").await
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.reach("roll back").await?;
        if let Some(id) = self.transaction.take() {
            lock(&self.database.locks).end(id);
            self.database.freed.notify_waiters();
        }
        Ok(())
    }

    async fn keep_refused(&mut self, _lane: LaneId, _seq: i64, _reason: &str) -> Result<(), sqlx::Error> {
        self.reach("keep refused").await
    }
}

#[async_trait]
impl SagaStore for Connection {
    fn live_sagas(&mut self, lane: LaneId) -> BoxStream<'_, Result<SagaRow, sqlx::Error>> {
        stream::once(self.live_rows(lane)).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten().boxed()
    }

    async fn sagas(&mut self, ids: &[Uuid]) -> Result<Vec<SagaRow>, sqlx::Error> {
        self.reach("sagas").await?;
        let tables = lock(&self.database.tables);
        Ok(ids.iter().filter_map(|id| tables.sagas.get(id)).map(|(_, row)| row.clone()).collect())
    }

    async fn definitions(&mut self) -> Result<Vec<(String, Value)>, sqlx::Error> {
        self.reach("definitions").await?;
        Ok(Vec::new())
    }

    async fn lanes(&mut self) -> Result<i32, sqlx::Error> {
        self.reach("lanes").await?;
        let tables = lock(&self.database.tables);
        Ok(tables.layout.as_ref().map_or(1, |(_, lanes)| *lanes))
    }

    fn insert_sagas(lane: LaneId, sagas: &[&SagaRow], batch: &mut Batch) {
        batch.sagas_new.extend(sagas.iter().map(|row| (lane.0, (*row).clone())));
    }

    fn update_sagas(sagas: &[&SagaRow], batch: &mut Batch) {
        batch.sagas_moved.extend(sagas.iter().map(|row| (*row).clone()));
    }

    fn insert_journal(entries: &[JournalRow], batch: &mut Batch) {
        batch.journal.extend_from_slice(entries);
    }
}

#[async_trait]
impl Source for Connection {
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error> {
        self.reach("load").await?;
        let tables = lock(&self.database.tables);
        let mut found = Vec::new();
        for (stream, after) in streams {
            let events = tables.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
            let later = events.iter().zip(1..).filter(|(_, version)| *version > after.0);
            found.extend(later.map(|(event, version)| StoredEvent {
                stream: stream.clone(),
                version: StreamVersion(version),
                cursor: Cursor::default(),
                event: event.clone(),
            }));
        }
        Ok(found)
    }

    async fn lock(
        &mut self,
        streams: &BTreeSet<StreamId>,
        _may_be_missing: bool,
    ) -> Result<BTreeMap<StreamId, StreamVersion>, sqlx::Error> {
        self.reach("lock").await?;
        if let Some(id) = self.ongoing()? {
            self.take(streams.iter().cloned().map(Row::Head).collect(), id).await?;
        }
        let tables = lock(&self.database.tables);
        Ok(streams.iter().map(|stream| (stream.clone(), StreamVersion(tables.head(stream)))).collect())
    }
}

impl Streams for Connection {
    fn append(batch: &mut Batch, events: Vec<Placed>, _writers: Writers) {
        batch.events.extend(events);
    }
}
