//! Batches of several lanes in one statement: all of them or nothing, and each lane's rows its own.

use backstitch_messaging::{LaneId, Record, TopicPartition};
use backstitch_processor::{Database, Effects, FENCED, Fence, Positions, Statement};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;

use crate::harness::Bench;

/// A lane under its first claim, and what it wants to write.
struct Lane {
    lane: LaneId,
    epoch: i64,
    positions: Positions,
    effects: Effects,
}

impl Lane {
    async fn claimed(lane: i32, db: &mut PgConnection) -> Self {
        let claim = db.claim(LaneId(lane), "me").await.unwrap();
        let positions = Positions::from([(TopicPartition::new("toys", lane), i64::from(lane) + 7)]);
        Self { lane: LaneId(lane), epoch: claim.epoch, positions, effects: Effects::default() }
    }

    fn statement(&self) -> Statement {
        let (lane, epoch, positions) = (self.lane, self.epoch, &self.positions);
        let fence = Fence { lane, epoch, commits: 0, positions, published: 0, prune: true };
        PgConnection::open(&fence, &self.effects).unwrap()
    }
}

async fn two_lanes(db: &mut PgConnection) -> [Lane; 2] {
    let (mut one, mut other) = (Lane::claimed(0, db).await, Lane::claimed(1, db).await);
    one.effects.publish(Record::new("answers", "a", b"first".to_vec()));
    one.effects.set_timer("alarm", Utc::now() + TimeDelta::days(1), json!({ "of": 0 }));
    other.effects.publish(Record::new("answers", "b", b"second".to_vec()));
    other.effects.set_timer("alarm", Utc::now() + TimeDelta::days(2), json!({ "of": 1 }));
    other.effects.call("call", "toy", json!({}));
    [one, other]
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_two_lanes_are_one_transaction_and_each_lane_finds_its_own() {
    let bench = Bench::new(2).await;
    let mut db = bench.pool.acquire().await.unwrap();
    let lanes = two_lanes(&mut db).await;
    db.write_together(&[&lanes[0].statement(), &lanes[1].statement()]).await.unwrap();
    let transactions: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM processor.lanes").fetch_one(&mut *db).await.unwrap();
    assert_eq!(transactions, 1);
    for lane in lanes {
        let found = db.claim(lane.lane, "heir").await.unwrap();
        assert_eq!((found.commits, found.positions), (1, lane.positions));
        assert_eq!(found.unpublished, [(1, lane.effects.records().to_vec())]);
        assert_eq!(found.timers.len(), 1);
        assert_eq!(found.timers[0].payload, json!({ "of": lane.lane.0 }));
        assert_eq!(found.jobs.len(), usize::try_from(lane.lane.0).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_one_of_them_is_no_longer_its_owners_nothing_of_either_is_written() {
    let bench = Bench::new(2).await;
    let mut db = bench.pool.acquire().await.unwrap();
    let lanes = two_lanes(&mut db).await;
    db.claim(LaneId(1), "heir").await.unwrap();
    let fenced = db.write_together(&[&lanes[0].statement(), &lanes[1].statement()]).await.unwrap_err();
    assert_eq!(fenced.as_database_error().unwrap().code().as_deref(), Some(FENCED));
    assert_eq!((bench.outbox_rows().await, bench.timer_rows().await, bench.call_rows().await), (0, 0, 0));
    db.write(&lanes[0].statement()).await.unwrap();
    let fenced = db.write(&lanes[1].statement()).await.unwrap_err();
    assert_eq!(fenced.as_database_error().unwrap().code().as_deref(), Some(FENCED));
    assert_eq!((bench.outbox_rows().await, bench.timer_rows().await), (1, 1));
}
