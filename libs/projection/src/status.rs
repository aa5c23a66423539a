//! How far each version has come, and how long it will take. Separate from the lanes, which only keep their rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgPool, Row as _};

use crate::verify::Verdict;

/// Whether a version serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is filled beside the live one.
    Building,
    /// Queries see it.
    Live,
    /// It was live, or was given up; its tables go.
    Retired,
}

/// A version of a projection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionStatus {
    /// The projection.
    pub name: String,
    /// The version, from 1.
    pub version: i32,
    /// The code's version of its tables and folds.
    pub shape: i32,
    /// Whether it serves.
    pub state: State,
    /// Whether it goes live by itself once it is verified.
    pub swaps_by_itself: bool,
    /// Who wanted it.
    pub asked_by: String,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it went live.
    pub live_at: Option<DateTime<Utc>>,
    /// What the comparison with the live version found.
    pub verdict: Option<Verdict>,
    /// Events applied.
    pub applied: i64,
    /// Events set aside.
    pub skipped: i64,
    /// Offsets still to be read.
    pub left: i64,
    /// The share that is read, 0 to 1.
    pub progress: f64,
    /// Offsets passed a second since it was begun, while it is being built.
    pub offsets_per_second: Option<f64>,
    /// How long the rest will take at that pace, seconds.
    pub eta_seconds: Option<f64>,
    /// By partition.
    pub partitions: Vec<PartitionStatus>,
}

/// A version's place in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to be read.
    pub next_offset: i64,
    /// Where it ended when it was last looked at.
    pub end_offset: i64,
}

/// A partition, with what was done there.
struct Counted {
    at: PartitionStatus,
    applied: i64,
    skipped: i64,
}

/// Every version that has tables.
///
/// # Errors
/// The database's.
pub async fn list(pool: &PgPool) -> Result<Vec<VersionStatus>, sqlx::Error> {
    let mut partitions: BTreeMap<(String, i32), Vec<Counted>> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT name, version, topic, partition, next_offset, greatest(end_offset, next_offset) AS end_offset,
                applied, skipped
         FROM projection.checkpoints ORDER BY name, version, topic, partition",
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        let at = PartitionStatus {
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            next_offset: row.try_get("next_offset")?,
            end_offset: row.try_get("end_offset")?,
        };
        let of = partitions.entry((row.try_get("name")?, row.try_get("version")?)).or_default();
        of.push(Counted { at, applied: row.try_get("applied")?, skipped: row.try_get("skipped")? });
    }
    let rows = sqlx::query(
        "SELECT name, version, shape, state, swaps_by_itself, asked_by, created_at, live_at, verdict,
                clock_timestamp() AS now
         FROM projection.versions WHERE dropped_at IS NULL ORDER BY name, version",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let key = (row.try_get("name")?, row.try_get("version")?);
            let partitions = partitions.remove(&key).unwrap_or_default();
            one(row, key, partitions)
        })
        .collect()
}

fn one(
    row: &sqlx::postgres::PgRow,
    (name, version): (String, i32),
    partitions: Vec<Counted>,
) -> Result<VersionStatus, sqlx::Error> {
    let state = match row.try_get::<String, _>("state")?.as_str() {
        "building" => State::Building,
        "live" => State::Live,
        _ => State::Retired,
    };
    let created_at: DateTime<Utc> = row.try_get("created_at")?;
    let passed: i64 = partitions.iter().map(|counted| counted.at.next_offset).sum();
    let left: i64 = partitions.iter().map(|counted| counted.at.end_offset - counted.at.next_offset).sum();
    let elapsed = (row.try_get::<DateTime<Utc>, _>("now")? - created_at).as_seconds_f64();
    let pace = (state == State::Building).then(|| Pace::of(passed, left, elapsed));
    Ok(VersionStatus {
        name,
        version,
        shape: row.try_get("shape")?,
        state,
        swaps_by_itself: row.try_get("swaps_by_itself")?,
        asked_by: row.try_get("asked_by")?,
        created_at,
        live_at: row.try_get("live_at")?,
        verdict: row.try_get::<Option<Json<Verdict>>, _>("verdict")?.map(|verdict| verdict.0),
        applied: partitions.iter().map(|counted| counted.applied).sum(),
        skipped: partitions.iter().map(|counted| counted.skipped).sum(),
        left,
        progress: progress(passed, left),
        offsets_per_second: pace.map(|pace| pace.per_second),
        eta_seconds: pace.and_then(|pace| pace.eta_seconds),
        partitions: partitions.into_iter().map(|counted| counted.at).collect(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Pace {
    per_second: f64,
    /// Unknown before anything was passed.
    eta_seconds: Option<f64>,
}

impl Pace {
    fn of(passed: i64, left: i64, elapsed_seconds: f64) -> Self {
        let per_second = passed as f64 / elapsed_seconds.max(0.001);
        let eta_seconds = match (left, passed) {
            (0, _) => Some(0.0),
            (_, 0) => None,
            (left, _) => Some(left as f64 / per_second),
        };
        Self { per_second, eta_seconds }
    }
}

fn progress(passed: i64, left: i64) -> f64 {
    if left == 0 { 1.0 } else { passed as f64 / (passed + left) as f64 }
}

#[cfg(test)]
mod tests {
    use super::{Pace, progress};

    #[test]
    fn the_time_left_follows_from_the_pace_so_far() {
        assert_eq!(Pace::of(3_000, 1_000, 6.0), Pace { per_second: 500.0, eta_seconds: Some(2.0) });
        assert_eq!(Pace::of(0, 1_000, 6.0).eta_seconds, None, "nobody knows before the first event");
        assert_eq!(Pace::of(10, 0, 6.0).eta_seconds, Some(0.0));
        assert!((progress(3_000, 1_000) - 0.75).abs() < f64::EPSILON);
        assert!((progress(0, 0) - 1.0).abs() < f64::EPSILON, "of nothing, everything is read");
    }
}
