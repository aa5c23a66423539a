//! Claiming a lane: raise the epoch, then read what it left. Whoever held it before can no longer write.

use std::collections::BTreeMap;

use backstitch_messaging::{LaneId, Record, TopicPartition, TraceContext};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};

use crate::database::Claim;
use crate::gate::Positions;
use crate::input::{Job, Timer};
use crate::outbox::unpack;

/// Takes the lane over.
pub(crate) async fn claim(lane: LaneId, owner: &str, db: &mut PgConnection) -> Result<Claim, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO processor.lanes (lane, epoch, owner) VALUES ($1, 1, $2)
         ON CONFLICT (lane) DO UPDATE
            SET epoch = processor.lanes.epoch + 1, owner = excluded.owner, claimed_at = clock_timestamp()
         RETURNING epoch, commits, next_offsets, published",
    )
    .bind(lane.0)
    .bind(owner)
    .fetch_one(&mut *db)
    .await?;
    let Json(offsets): Json<BTreeMap<String, i64>> = row.try_get("next_offsets")?;
    let published = row.try_get("published")?;
    let unpublished = unpublished(lane, published, db).await?;
    let timers = timers(lane, db).await?;
    let jobs = jobs(lane, db).await?;
    // Last: reading many rows takes a while.
    let now = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(db).await?;
    Ok(Claim {
        epoch: row.try_get("epoch")?,
        commits: row.try_get("commits")?,
        positions: offsets.iter().filter_map(|(at, offset)| Some((position(at)?, *offset))).collect(),
        published,
        now,
        unpublished,
        timers,
        jobs,
    })
}

/// `topic/partition`, as offsets are kept in the lane's row.
pub(crate) fn offsets_json(positions: &Positions) -> Json<BTreeMap<String, i64>> {
    Json(positions.iter().map(|(at, offset)| (at.to_string(), *offset)).collect())
}

fn position(text: &str) -> Option<TopicPartition> {
    let (topic, partition) = text.rsplit_once('/')?;
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

async fn unpublished(lane: LaneId, after: i64, db: &mut PgConnection) -> Result<Vec<(i64, Vec<Record>)>, sqlx::Error> {
    let rows = sqlx::query("SELECT seq, records FROM processor.outbox WHERE lane = $1 AND seq > $2 ORDER BY seq")
        .bind(lane.0)
        .bind(after)
        .fetch_all(db)
        .await?;
    rows.iter()
        .map(|row| {
            let bytes: Vec<u8> = row.try_get("records")?;
            let records = unpack(&bytes).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok((row.try_get("seq")?, records))
        })
        .collect()
}

async fn timers(lane: LaneId, db: &mut PgConnection) -> Result<Vec<Timer>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, due_at, payload, trace FROM processor.timers WHERE lane = $1")
        .bind(lane.0)
        .fetch_all(db)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Timer {
                id: row.try_get("id")?,
                due_at: row.try_get("due_at")?,
                payload: row.try_get::<Json<Value>, _>("payload")?.0,
                trace: row.try_get::<Option<Json<TraceContext>>, _>("trace")?.map(|Json(trace)| trace),
                stored: true,
            })
        })
        .collect()
}

async fn jobs(lane: LaneId, db: &mut PgConnection) -> Result<Vec<Job>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, kind, payload, trace FROM processor.jobs WHERE lane = $1 ORDER BY created_at")
        .bind(lane.0)
        .fetch_all(db)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Job {
                id: row.try_get("id")?,
                kind: row.try_get("kind")?,
                payload: row.try_get::<Json<Value>, _>("payload")?.0,
                trace: row.try_get::<Option<Json<TraceContext>>, _>("trace")?.map(|Json(trace)| trace),
            })
        })
        .collect()
}
