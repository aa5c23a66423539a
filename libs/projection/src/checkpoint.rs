//! How far a version has come in each partition. The checkpoint is the fence too: whoever moves it from where it is not
//! writes nothing.

use std::collections::BTreeMap;

use backstitch_messaging::TopicPartition;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use crate::layout::Name;
use crate::place::Place;

/// The version that a lane works for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) name: Name,
    pub(crate) number: i32,
}

/// A step forward in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) applied: i64,
    pub(crate) skipped: i64,
    pub(crate) event_at: Option<DateTime<Utc>>,
}

/// Steps by partition.
pub(crate) type Steps = BTreeMap<TopicPartition, Step>;

/// Why the checkpoint was not moved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Yes,
    /// It is not where it was thought to be.
    Fenced,
    /// It must not pass these places for now.
    Held(BTreeMap<TopicPartition, Place>),
}

/// Where to begin in each of these partitions; they have rows from now on.
pub(crate) async fn begin(
    version: Version,
    sources: &[TopicPartition],
    db: &mut PgConnection,
) -> Result<BTreeMap<TopicPartition, Place>, sqlx::Error> {
    let (topics, partitions) = columns(sources);
    let rows = sqlx::query(
        "WITH wanted AS (SELECT * FROM unnest($3::text[], $4::integer[]) AS w (topic, partition)), made AS (
            INSERT INTO projection.checkpoints (name, version, topic, partition)
            SELECT $1, $2, topic, partition FROM wanted
            WHERE EXISTS (SELECT FROM projection.versions WHERE name = $1 AND version = $2 AND dropped_at IS NULL)
            ORDER BY topic, partition ON CONFLICT DO NOTHING
            RETURNING topic, partition, transaction_id, next_offset)
         SELECT topic, partition, transaction_id, next_offset FROM made UNION
         SELECT topic, partition, transaction_id, next_offset
         FROM projection.checkpoints JOIN wanted USING (topic, partition)
         WHERE name = $1 AND version = $2",
    )
    .bind(version.name.text())
    .bind(version.number)
    .bind(topics)
    .bind(partitions)
    .fetch_all(db)
    .await?;
    rows.iter().map(|row| Ok((source(row)?, place(row, "transaction_id", "next_offset")?))).collect()
}

/// Removes places in sources that the version is read from no more: a topic whose events now come from a store, or the
/// other way round, or a store that is shared out otherwise. What is now read from its beginning changes no row that is
/// there.
pub(crate) async fn forget_others(
    version: Version,
    topics: &[&str],
    sources: &[String],
    db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM projection.checkpoints AS c USING unnest($3::text[]) AS t (topic)
         WHERE c.name = $1 AND c.version = $2 AND c.topic <> ALL ($4)
           AND (c.topic = t.topic OR starts_with(c.topic, 'store:' || t.topic || ' of '))",
    )
    .bind(version.name.text())
    .bind(version.number)
    .bind(topics)
    .bind(sources)
    .execute(db)
    .await?;
    Ok(())
}

/// Moves the checkpoint inside the transaction that applies what it passes.
pub(crate) async fn advance(version: Version, steps: &Steps, db: &mut PgConnection) -> Result<Moved, sqlx::Error> {
    let (topics, partitions) = columns(steps.keys());
    let of = |field: fn(&Step) -> i64| steps.values().map(field).collect::<Vec<_>>();
    let moved = sqlx::query(
        "UPDATE projection.checkpoints AS c
         SET transaction_id = s.next_tx, next_offset = s.next, applied = c.applied + s.applied, skipped = c.skipped + s.skipped,
             end_offset = greatest(c.end_offset, s.next), event_at = coalesce(s.event_at, c.event_at)
         FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                     $10::bigint[], $11::timestamptz[])
              AS s (topic, partition, old_tx, old, next_tx, next, applied, skipped, event_at)
         WHERE c.name = $1 AND c.version = $2 AND c.topic = s.topic AND c.partition = s.partition
           AND c.transaction_id = s.old_tx AND c.next_offset = s.old
           AND (c.hold_at IS NULL OR c.held_until < clock_timestamp()
                OR (s.next_tx, s.next) <= (coalesce(c.hold_transaction, 0), c.hold_at))",
    )
    .bind(version.name.text())
    .bind(version.number)
    .bind(&topics)
    .bind(&partitions)
    .bind(of(|step| step.from.transaction))
    .bind(of(|step| step.from.offset))
    .bind(of(|step| step.to.transaction))
    .bind(of(|step| step.to.offset))
    .bind(of(|step| step.applied))
    .bind(of(|step| step.skipped))
    .bind(steps.values().map(|step| step.event_at).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    if usize::try_from(moved.rows_affected()).unwrap_or(0) == steps.len() {
        return Ok(Moved::Yes);
    }
    why_not(version, steps, db).await
}

async fn why_not(version: Version, steps: &Steps, db: &mut PgConnection) -> Result<Moved, sqlx::Error> {
    let (topics, partitions) = columns(steps.keys());
    // What this transaction has moved itself reads as moved: only the others tell why they were not.
    let rows = sqlx::query(
        "SELECT c.topic, c.partition, c.transaction_id, c.next_offset, c.hold_at,
                coalesce(c.hold_transaction, 0) AS hold_transaction
         FROM projection.checkpoints AS c JOIN unnest($3::text[], $4::integer[]) AS s (topic, partition)
           USING (topic, partition)
         WHERE c.name = $1 AND c.version = $2 AND c.hold_at IS NOT NULL AND c.held_until >= clock_timestamp()",
    )
    .bind(version.name.text())
    .bind(version.number)
    .bind(topics)
    .bind(partitions)
    .fetch_all(db)
    .await?;
    let mut holds = BTreeMap::new();
    for row in &rows {
        let source = source(row)?;
        let next = place(row, "transaction_id", "next_offset")?;
        let hold = place(row, "hold_transaction", "hold_at")?;
        if steps.get(&source).is_some_and(|step| step.from == next && step.to > hold) {
            holds.insert(source, hold);
        }
    }
    Ok(if holds.is_empty() { Moved::Fenced } else { Moved::Held(holds) })
}

/// Notes where partitions end, for those who ask how far there is to go. Of a store it is a guess until it is reached.
pub(crate) async fn note_ends(
    version: Version,
    ends: &[(TopicPartition, Place)],
    db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let (topics, partitions) = columns(ends.iter().map(|(source, _)| source));
    sqlx::query(
        "UPDATE projection.checkpoints AS c SET end_offset = e.ends
         FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS e (topic, partition, ends)
         WHERE c.name = $1 AND c.version = $2 AND c.topic = e.topic AND c.partition = e.partition
           AND c.end_offset <> e.ends",
    )
    .bind(version.name.text())
    .bind(version.number)
    .bind(topics)
    .bind(partitions)
    .bind(ends.iter().map(|(_, end)| end.offset).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

fn place(row: &sqlx::postgres::PgRow, transaction: &str, offset: &str) -> Result<Place, sqlx::Error> {
    Ok(Place { transaction: row.try_get(transaction)?, offset: row.try_get(offset)? })
}

fn columns<'a>(sources: impl IntoIterator<Item = &'a TopicPartition>) -> (Vec<String>, Vec<i32>) {
    sources.into_iter().map(|source| (source.topic.to_string(), source.partition)).unzip()
}

fn source(row: &sqlx::postgres::PgRow) -> Result<TopicPartition, sqlx::Error> {
    Ok(TopicPartition::new(row.try_get::<String, _>("topic")?, row.try_get("partition")?))
}
