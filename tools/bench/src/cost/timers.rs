//! Timers among many: how late those ring that are due while a great many others are not.

use std::time::Duration;

use anyhow::Result;
use backstitch_dev::commands::bench::Cost;
use backstitch_dev::progress::Task;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};

use super::{LANES, WAITING, plant, raise, template};
use crate::figures::round;
use crate::findings::Section;
use crate::stage::Stage;

/// So long some of them ring.
const FIRING: Duration = Duration::from_secs(30);
/// The first of them so long after the orchestrator has been started: by then it has to have claimed its lanes.
const AHEAD_SECONDS: u64 = 20;
/// And for so many more it has to be ready, for a million of them.
const CLAIM_SECONDS_A_MILLION: u64 = 120;
const MICROS: u64 = 1_000_000;

/// Plants them, starts the orchestrator, and looks into the journal when each has rung.
pub(super) async fn among_many(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let live = raise(stage, LANES).await?;
    let mut db = live.database("orchestrator").await?;
    let template = template(&live, &mut db).await?;
    task.step(&format!("planting {} timers", options.timers));
    let far = template.due_micros();
    plant::waiting(&template, options.timers, live.lanes(), |_| far, &mut db).await?;
    let ahead = AHEAD_SECONDS + options.timers * CLAIM_SECONDS_A_MILLION / MICROS;
    let count = options.firing * FIRING.as_secs();
    let now: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(&mut db)
        .await?;
    // Planting them takes its time, too.
    let planting = count / 2_000;
    let first = now + i64::try_from((ahead + planting) * MICROS)?;
    let due = |number: u64| first + i64::try_from(number * MICROS / options.firing.max(1)).unwrap_or(0);
    plant::waiting(&template, count, live.lanes(), due, &mut db).await?;
    live.start("orchestrator", live.definitions()?).await?;
    task.step(&format!("{} a second of them ring", options.firing));
    let wait = ahead + planting + FIRING.as_secs() + 5;
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let about = format!(
        "{} timers of waiting sagas are 30 days away, and {} a second are due for {} s. Late: from its due time until what it \
         led to was decided, by the database's clock, ms.",
        options.timers,
        options.firing,
        FIRING.as_secs()
    );
    let mut section = Section::new("Timers among many", about, ["due", "rung", "late: p50", "p99", "max"]);
    section.row(lateness(count, &mut db).await?);
    Ok(section)
}

/// Of all that have rung.
async fn lateness(count: u64, db: &mut PgConnection) -> Result<Vec<Value>> {
    // The planted journals are empty, so that the first entry is what the timer led to; keys end in the due time.
    let row = sqlx::query(
        "SELECT count(late) AS rung, percentile_cont(0.5) WITHIN GROUP (ORDER BY late) AS p50,
                percentile_cont(0.99) WITHIN GROUP (ORDER BY late) AS p99, max(late) AS max
         FROM (SELECT (extract(epoch FROM min(j.at)) * 1000 - split_part(s.key, '-', 3)::bigint / 1000.0)::float8 AS late
               FROM saga.sagas AS s JOIN saga.journal AS j ON j.started_at = s.started_at AND j.saga_id = s.id
               WHERE s.definition = $1 AND s.finished_at IS NOT NULL
               GROUP BY s.id, s.key) AS rung",
    )
    .bind(WAITING)
    .fetch_one(db)
    .await?;
    let figure = |name: &str| row.try_get::<Option<f64>, _>(name).map(|value| json!(value.map(round)));
    let rung: i64 = row.try_get("rung")?;
    Ok(vec![json!(count), json!(rung), figure("p50")?, figure("p99")?, figure("max")?])
}
