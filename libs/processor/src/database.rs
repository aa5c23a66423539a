//! What a lane asks of its database. Separate from the lane's work, so that the SQL stays in one place and the same
//! lanes run over a model of a database, whose crashes and zombies follow from a seed.

use std::ops::DerefMut;

use async_trait::async_trait;
use backstitch_messaging::{LaneId, Record};
use chrono::{DateTime, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Row as _};

use crate::claim;
use crate::effects::Effects;
use crate::gate::Positions;
use crate::input::{Job, Timer};
use crate::statement::Statement;
use crate::write::Fence;

/// What a lane's rows said when it was claimed.
#[derive(Debug)]
pub struct Claim {
    /// The claim's number: whoever holds a lower one can no longer write.
    pub epoch: i64,
    /// How often the lane was written.
    pub commits: i64,
    /// The next offset of each partition.
    pub positions: Positions,
    /// Everything up to this commit is known to be on the broker.
    pub published: i64,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Committed and not known to be published, by commit.
    pub unpublished: Vec<(i64, Vec<Record>)>,
    /// Timers that are set.
    pub timers: Vec<Timer>,
    /// External calls that are open.
    pub jobs: Vec<Job>,
}

/// A connection of one lane. Errors are the database's; [`sqlx::Error::Database`] with the code [`crate::FENCED`] or
/// [`crate::CONFLICT`] says that the lane, or a stream, was not where it was taken to be.
#[async_trait]
pub trait Database: Send + 'static {
    /// What a batch writes, put together before it is sent.
    type Batch: Send + Sync;

    /// Raises the lane's epoch, then reads what its last owner left.
    async fn claim(&mut self, lane: LaneId, owner: &str) -> Result<Claim, sqlx::Error>;

    /// The processor's own part of a batch: fence, offsets, outbox, timers, calls.
    ///
    /// # Errors
    /// [`sqlx::Error::Encode`] if the effects have no row form.
    fn open(fence: &Fence<'_>, effects: &Effects) -> Result<Self::Batch, sqlx::Error>;

    /// Writes a batch, all of it or nothing; answers the database's clock.
    async fn write(&mut self, batch: &Self::Batch) -> Result<DateTime<Utc>, sqlx::Error>;

    /// Writes batches of several lanes, all of them or nothing.
    async fn write_together(&mut self, batches: &[&Self::Batch]) -> Result<DateTime<Utc>, sqlx::Error>;

    /// Begins an explicit transaction, for batches that lock rows while they are decided.
    async fn begin(&mut self) -> Result<(), sqlx::Error>;

    /// Ends it: everything was written.
    async fn commit(&mut self) -> Result<(), sqlx::Error>;

    /// Ends it: nothing was written.
    async fn roll_back(&mut self) -> Result<(), sqlx::Error>;

    /// Keeps a commit aside whose records the broker refuses.
    async fn keep_refused(&mut self, lane: LaneId, seq: i64, reason: &str) -> Result<(), sqlx::Error>;
}

/// Where lanes get their connections.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The connection.
    type Db: Database;
    /// A connection on loan.
    type Lease: DerefMut<Target = Self::Db> + Send;

    /// A connection for one lane, given to nobody else afterwards.
    ///
    /// # Errors
    /// The database's, or that it has none to give.
    async fn lease(&self) -> Result<Self::Lease, sqlx::Error>;

    /// Keeps the layout of the lanes if there is none yet: topic and number. Answers the one that is kept.
    ///
    /// # Errors
    /// The database's.
    async fn layout(&self, lane_topic: &str, lanes: i32) -> Result<(String, i32), sqlx::Error>;
}

#[async_trait]
impl Database for PgConnection {
    type Batch = Statement;

    async fn claim(&mut self, lane: LaneId, owner: &str) -> Result<Claim, sqlx::Error> {
        claim::claim(lane, owner, self).await
    }

    fn open(fence: &Fence<'_>, effects: &Effects) -> Result<Statement, sqlx::Error> {
        fence.open(effects)
    }

    async fn write(&mut self, batch: &Statement) -> Result<DateTime<Utc>, sqlx::Error> {
        batch.execute(self).await
    }

    async fn write_together(&mut self, batches: &[&Statement]) -> Result<DateTime<Utc>, sqlx::Error> {
        Statement::execute_together(batches, self).await
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.execute("BEGIN").await.map(drop)
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await.map(drop)
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.execute("ROLLBACK").await.map(drop)
    }

    async fn keep_refused(&mut self, lane: LaneId, seq: i64, reason: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO processor.refused (lane, seq, reason, records)
             SELECT lane, seq, $3, records FROM processor.outbox WHERE lane = $1 AND seq = $2 ON CONFLICT DO NOTHING",
        )
        .bind(lane.0)
        .bind(seq)
        .bind(reason)
        .execute(self)
        .await
        .map(drop)
    }
}

#[async_trait]
impl Store for PgPool {
    type Db = PgConnection;
    type Lease = PoolConnection<Postgres>;

    async fn lease(&self) -> Result<Self::Lease, sqlx::Error> {
        let mut db = self.acquire().await?;
        // Whatever state a lane leaves its connection in, nobody else is given it.
        db.close_on_drop();
        Ok(db)
    }

    async fn layout(&self, lane_topic: &str, lanes: i32) -> Result<(String, i32), sqlx::Error> {
        let row = sqlx::query(
            "INSERT INTO processor.topology (lane_topic, lanes) VALUES ($1, $2)
             ON CONFLICT (single) DO UPDATE SET single = true RETURNING lane_topic, lanes",
        )
        .bind(lane_topic)
        .bind(lanes)
        .fetch_one(self)
        .await?;
        Ok((row.try_get("lane_topic")?, row.try_get("lanes")?))
    }
}
