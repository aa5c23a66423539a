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
#[path = "support/mod.rs"]
mod support;

// The desk's parts name these as their crate's own.
use backstitch_participant::{Answer, Changes, DomainEvent, Intent, Participant, Route, Settings, View, Visibility};

use booking::{How, flow_stream, seat_stream};
use letters::{FLOW, book, unbook};
use support::{Database, Lane};

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
