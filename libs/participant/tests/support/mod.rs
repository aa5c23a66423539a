//! A database of its own for a test, and lanes of the booking desk on it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

use std::sync::Arc;

use backstitch_event_store::{EventStore as _, StreamId, StreamVersion};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_participant::{ParticipantLogic, Settings};
use backstitch_processor::{CONFLICT, Effects, Input, Loading, Logic as _, LogicOn, Statement};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::booking::Booking;
use crate::letters::{Letter, morning};
use crate::schema::settings;

pub(crate) struct Database {
    admin: String,
    name: String,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn fresh() -> Self {
        let admin = std::env::var("POSTGRES_ADMIN_URL").expect("POSTGRES_ADMIN_URL: source target/stack/env");
        let name = format!("participant_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&admin).await.expect("Postgres answers");
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let server = admin.rsplit_once('/').expect("a URL with a database").0;
        let pool = PgPool::connect(&format!("{server}/{name}")).await.unwrap();
        backstitch_processor::migrations().run(&pool).await.unwrap();
        backstitch_event_store_postgres::migrations().run(&pool).await.unwrap();
        Self { admin, name, pool }
    }

    pub(crate) async fn lane(&self) -> Lane {
        self.lane_with(settings()).await
    }

    pub(crate) async fn lane_with(&self, settings: Arc<Settings>) -> Lane {
        Lane {
            logic: ParticipantLogic::new(Arc::new(Booking), settings),
            offset: 0,
            db: self.pool.acquire().await.unwrap().detach(),
            conflicts: 0,
        }
    }

    pub(crate) async fn types_of(&self, stream: StreamId) -> Vec<String> {
        let events = PostgresStore::new(self.pool.clone()).load(&stream, StreamVersion::NONE).await.unwrap();
        events.into_iter().map(|stored| stored.event.event_type).collect()
    }

    pub(crate) async fn drop(self) {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await.unwrap();
    }
}

/// One lane with a connection of its own, doing what the processor does, less the fence.
pub(crate) struct Lane {
    logic: ParticipantLogic<Booking>,
    offset: i64,
    db: PgConnection,
    pub(crate) conflicts: usize,
}

impl Lane {
    /// How many records the batch publishes.
    pub(crate) async fn gets(&mut self, letters: Vec<Letter>) -> usize {
        let inputs: Vec<Input> =
            (self.offset..).zip(letters).map(|(offset, letter)| letter.arrives(offset, morning())).collect();
        self.offset += 10;
        let inputs: Vec<&Input> = inputs.iter().collect();
        let mut loading = Loading::Optimistic;
        loop {
            self.db.execute("BEGIN").await.unwrap();
            match self.try_batch(&inputs, loading).await {
                Ok(records) => {
                    self.db.execute("COMMIT").await.unwrap();
                    self.logic.committed();
                    return records;
                }
                Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some(CONFLICT) => {
                    assert_eq!(loading, Loading::Optimistic, "a conflict although everything was read");
                    self.db.execute("ROLLBACK").await.unwrap();
                    self.logic.aborted();
                    self.conflicts += 1;
                    loading = Loading::Thorough;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    async fn try_batch(&mut self, inputs: &[&Input], loading: Loading) -> Result<usize, sqlx::Error> {
        self.logic.load(inputs, loading, &mut self.db).await?;
        let mut effects = Effects::default();
        for input in inputs {
            self.logic.decide(input, morning(), &mut effects).unwrap();
        }
        let mut statement = Statement::new();
        statement.part("fence", "SELECT 1");
        LogicOn::<PgConnection>::write(&mut self.logic, &mut statement);
        statement.execute(&mut self.db).await?;
        Ok(effects.records().len())
    }
}
