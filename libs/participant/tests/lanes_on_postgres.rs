//! The booking desk's logic over a real database: statements, locks and conflicts. Needs a server: `POSTGRES_ADMIN_URL`,
//! as the local stack writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]
#![allow(dead_code, reason = "the desk's parts are made for more stories than these")]

#[path = "../src/tests/booking.rs"]
mod booking;
#[path = "../src/tests/letters.rs"]
mod letters;
#[path = "../src/tests/schema.rs"]
mod schema;

use std::sync::Arc;

use backstitch_event_store::{EventStore as _, StreamId, StreamVersion};
use backstitch_event_store_postgres::PostgresStore;
// The desk's parts name these as their crate's own.
use backstitch_participant::{
    Answer, Changes, DomainEvent, Intent, Participant, ParticipantLogic, Route, Settings, View, Visibility,
};
use backstitch_processor::{CONFLICT, Effects, Input, Loading, Logic as _, LogicOn, Statement};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use booking::{Booking, How, flow_stream, seat_stream};
use letters::{FLOW, Letter, book, morning, unbook};
use schema::settings;

struct Database {
    admin: String,
    name: String,
    pool: PgPool,
}

impl Database {
    async fn fresh() -> Self {
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

    async fn lane(&self) -> Lane {
        Lane {
            logic: ParticipantLogic::new(Arc::new(Booking), settings()),
            offset: 0,
            db: self.pool.acquire().await.unwrap().detach(),
            conflicts: 0,
        }
    }

    async fn types_of(&self, stream: StreamId) -> Vec<String> {
        let events = PostgresStore::new(self.pool.clone()).load(&stream, StreamVersion::NONE).await.unwrap();
        events.into_iter().map(|stored| stored.event.event_type).collect()
    }

    async fn drop(self) {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await.unwrap();
    }
}

/// One lane with a connection of its own, doing what the processor does, less the fence.
struct Lane {
    logic: ParticipantLogic<Booking>,
    offset: i64,
    db: PgConnection,
    conflicts: usize,
}

impl Lane {
    /// How many records the batch publishes.
    async fn gets(&mut self, letters: Vec<Letter>) -> usize {
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

/// Books two seats in each round, gives one back in the same batch and the other in the next.
async fn race(mut lane: Lane, racer: u128) -> usize {
    for round in 0..25_u128 {
        let id = 10_000 * (racer + 1) + 10 * round;
        let (flow, other) = (format!("{id:06}-flow"), format!("{:06}-flow", id + 1));
        let seat = |nth: u128| ["A", "B", "C"][((racer + round + nth) % 3) as usize];
        let letters = vec![
            book(id, seat(0), How::Now).of(&flow),
            book(id + 1, seat(2), How::Now).of(&other),
            unbook(id + 2, How::Now).undoing(id).of(&flow),
        ];
        assert_eq!(lane.gets(letters).await, 3);
        let letters = vec![unbook(id + 3, How::Now).undoing(id + 1).of(&other)];
        assert_eq!(lane.gets(letters).await, 1);
    }
    lane.conflicts
}

#[tokio::test]
async fn lanes_that_race_for_the_same_seats_never_book_one_twice() {
    let database = Database::fresh().await;
    let mut races = tokio::task::JoinSet::new();
    for racer in 0..4 {
        races.spawn(race(database.lane().await, racer));
    }
    let conflicts: usize = races.join_all().await.into_iter().sum();
    assert_eq!(conflicts, 0, "rows that lanes share are locked, not guessed");
    let mut taken = 0;
    for seat in ["A", "B", "C"] {
        let events = database.types_of(seat_stream(seat)).await;
        taken += events.iter().filter(|event| *event == "SeatTaken").count();
        let expected: Vec<_> = ["SeatTaken", "SeatFreed"].into_iter().cycle().take(events.len()).collect();
        assert_eq!(events, expected, "seat {seat}");
    }
    assert!(taken >= 3, "somebody got a seat: {taken}");
    database.drop().await;
}

#[tokio::test]
async fn a_flow_taken_for_new_that_is_not_is_a_conflict_and_decided_again() {
    let database = Database::fresh().await;
    let mut before = database.lane().await;
    assert_eq!(before.gets(vec![book(1, "A", How::Now)]).await, 1);
    let mut after = database.lane().await;
    assert_eq!(after.gets(vec![book(1, "A", How::Now)]).await, 1);
    assert_eq!((before.conflicts, after.conflicts), (0, 1));
    let history = database.types_of(flow_stream(FLOW)).await;
    assert_eq!(history, ["Booked"]);
    database.drop().await;
}
