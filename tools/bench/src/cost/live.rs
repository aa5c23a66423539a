//! Live sagas that wait: what each takes of an orchestrator's memory, and how long another takes to go on with so many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use backstitch_dev::commands::bench::{Cost, Fault};
use backstitch_dev::progress::Task;
use serde_json::json;
use sqlx::PgConnection;

use super::{LANES, plant, raise, template, warm};
use crate::figures::{percentiles, round};
use crate::findings::Section;
use crate::load::Shape;
use crate::stage::{Live, Settings, Stage, replicas};
use crate::takeover::trial::{self, Group};

const MIB: f64 = 1024.0 * 1024.0;
/// A lane with many sagas takes its time to be claimed.
const CLAIM_PATIENCE: Duration = Duration::from_secs(300);
/// An orchestrator's memory is looked at once it has settled.
const SETTLING: Duration = Duration::from_secs(5);
const TRIALS: usize = 2;
/// Sagas begun a second meanwhile, so that lanes show that they go on.
const RATE: u32 = 20;

/// One number of live sagas after the other.
pub(super) async fn waiting(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let about = format!(
        "Planted sagas that wait for a signal or 30 days, each with its timer. Memory: resident, of the one orchestrator \
         that has all {LANES} lanes, less what it has with none. Claimed: from its start until it has decided something in each \
         lane. Killed: of two orchestrators, {TRIALS} times; how long the victim's lanes stood still."
    );
    let columns = ["live sagas", "MiB", "bytes a saga", "claimed in s", "killed: p50 ms", "max ms"];
    let mut section = Section::new("Live sagas that wait", about, columns);
    let live = raise(stage, LANES).await?;
    let mut db = live.database("orchestrator").await?;
    let template = template(&live, &mut db).await?;
    let (empty, _) = claimed(&live, &mut db).await?;
    let mut planted = 0;
    for count in &options.live {
        live.stop("orchestrator").await?;
        task.step(&format!("planting {count} live sagas"));
        let due = template.due_micros();
        plant::waiting(&template, count.saturating_sub(planted), live.lanes(), |_| due, &mut db).await?;
        planted = planted.max(*count);
        task.step(&format!("claiming {count} live sagas"));
        let (mib, seconds) = claimed(&live, &mut db).await?;
        task.step(&format!("taking over {count} live sagas"));
        let standing = percentiles(taken_over(&live).await?);
        let bytes = (mib - empty) * MIB / planted.max(1) as f64;
        let (p50, max) = (standing["p50"].clone(), standing["max"].clone());
        section.row([json!(planted), json!(mib), json!(bytes.round()), json!(round(seconds)), p50, max]);
    }
    Ok(section)
}

/// Starts the orchestrator; its memory once it has all lanes, MiB, and how long that took.
async fn claimed(live: &Live, db: &mut PgConnection) -> Result<(f64, f64)> {
    let load = live.load(Shape::default()).await?;
    let began = Instant::now();
    live.start("orchestrator", live.definitions()?).await?;
    load.watch();
    let feeder = crate::pace::open(&load, RATE);
    let every = |load: &crate::load::Load| {
        let lanes: std::collections::BTreeSet<i32> = load.seen().iter().map(|entry| entry.lane).collect();
        lanes.len() == usize::try_from(live.lanes()).unwrap_or(0)
    };
    while !every(&load) {
        ensure!(began.elapsed() < CLAIM_PATIENCE, "not every lane was claimed in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    feeder.abort();
    live.settled(&replicas("orchestrator", 1), db).await?;
    tokio::time::sleep(SETTLING).await;
    Ok((live.memory_mib("orchestrator")?, seconds))
}

/// Two orchestrators, one of which is killed now and then: how long each of its lanes stood still, ms.
async fn taken_over(live: &Live) -> Result<Vec<f64>> {
    let load = live.load(Shape::default()).await?;
    let names = replicas("orchestrator", 2);
    let settings: BTreeMap<String, Settings> =
        names.iter().map(|name| Ok((name.clone(), live.definitions()?))).collect::<Result<_>>()?;
    let group = Group::new(live.clone(), settings, live.database("orchestrator").await?);
    let mut group = group.all_started().await?;
    let _feeder = warm(&load, RATE).await;
    let mut standing = Vec::new();
    for number in 0..TRIALS {
        let trial = trial::make(&mut group, &load, Fault::Kill, number).await?;
        standing.extend(trial.standstills_ms);
    }
    group.all_started().await?;
    for name in names.iter().skip(1) {
        live.stop(name).await?;
    }
    Ok(standing)
}
