//! `cost`: what a saga costs where there is more of something: lanes and orchestrators, finished sagas behind, live ones,
//! timers, data, orders of one product. A file for each kind of growth; here is what they share.

mod finished;
mod live;
mod plant;
mod timers;
mod windows;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use backstitch_dev::commands::bench::{Cost, Growth};
use backstitch_dev::progress::Board;
use serde_json::json;
use sqlx::PgConnection;

use crate::findings::Findings;
use crate::load::{Load, Shape};
use crate::stage::{Live, Stage};

/// Lanes wherever they are not what grows.
const LANES: u32 = 4;
/// How long a saga may take to be seen in the tables.
const PATIENCE: Duration = Duration::from_secs(60);
/// The definition of sagas that wait.
const WAITING: &str = "bench-waiting";

/// Lets one thing after the other grow.
pub(crate) async fn run(stage: Stage, options: &Cost) -> Result<Findings> {
    let mut findings = Findings::begin("How cost grows");
    let board = Board::new();
    for growth in &options.only {
        let task = board.task(&format!("{growth:?}").to_lowercase());
        let section = match growth {
            Growth::Scaling => windows::scaling(&stage, options, &task).await,
            Growth::Finished => finished::behind(&stage, options, &task).await,
            Growth::Live => live::waiting(&stage, options, &task).await,
            Growth::Timers => timers::among_many(&stage, options, &task).await,
            Growth::Payload => windows::payload(&stage, options, &task).await,
            Growth::HotProduct => windows::hot_product(&stage, options, &task).await,
        };
        findings.add(section.inspect_err(|_| task.failed())?);
        task.done("measured");
    }
    Ok(findings)
}

/// A stack whose orchestrator knows the bench's own definitions.
async fn raise(stage: &Stage, partitions: u32) -> Result<Live> {
    let live = stage.raise(partitions).await?;
    live.stop("orchestrator").await?;
    live.start("orchestrator", live.definitions()?).await?;
    Ok(live)
}

/// Starts one saga that waits, to be copied, and stops the orchestrator.
async fn template(live: &Live, db: &mut PgConnection) -> Result<plant::Template> {
    let load = live.load(Shape::default()).await?;
    let data = json!({
        "order_id": uuid::Uuid::new_v4(), "customer_id": uuid::Uuid::new_v4(), "total_amount": 5_000, "currency": "EUR",
        "order_items": [{"product_id": "lamp", "quantity": 2, "unit_price": 2_500, "line_total": 5_000}],
    });
    let key = uuid::Uuid::new_v4().to_string();
    load.start_one(WAITING, &key, &data).await?;
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        if let Some(found) = plant::template(&key, db).await? {
            break found;
        }
        ensure!(Instant::now() < deadline, "the saga that was to be copied was not started");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    live.stop("orchestrator").await?;
    Ok(found)
}

/// Sagas that end and are begun anew while something is measured.
async fn warm(load: &Load, rate: u32) -> crate::pace::Feeder {
    let feeder = crate::pace::open(load, rate);
    tokio::time::sleep(Duration::from_secs(3)).await;
    feeder
}
