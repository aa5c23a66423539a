//! Finished sagas behind: whether a saga costs more where many have ended. Its own file, because it compares.

use anyhow::{Context as _, Result};
use backstitch_dev::commands::bench::Cost;
use backstitch_dev::progress::Task;
use serde_json::{Value, json};

use super::windows::{FIGURES, window};
use super::{LANES, plant, raise};
use crate::figures::{median, round};
use crate::findings::Section;
use crate::load::{Load, Shape};
use crate::stage::{Live, Stage};

/// Windows before and after; the median is told.
const WINDOWS: usize = 3;
/// The figure by which before and after are compared.
const CPU: usize = 3;

/// Windows with nothing behind, then with so many finished sagas.
pub(super) async fn behind(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let live = raise(stage, LANES).await?;
    let load = live.load(Shape::default()).await?;
    task.step("nothing behind");
    // The first fills caches and is not told.
    window(&live, &load, options).await?;
    let before = windows(&live, &load, options).await?;
    task.step(&format!("planting {} finished sagas", options.finished));
    live.stop("orchestrator").await?;
    let mut db = live.database("orchestrator").await?;
    let rows = plant::finished(options.finished, &mut db).await?;
    live.start("orchestrator", live.definitions()?).await?;
    task.step(&format!("{} finished sagas behind", options.finished));
    window(&live, &load, options).await?;
    let after = windows(&live, &load, options).await?;
    let about = format!(
        "{} order sagas in flight; medians of {WINDOWS} windows. Those behind were planted, each with {rows:.1} rows of its \
         journal. The last line: after as against before, %.",
        options.in_flight
    );
    let mut section = Section::new("Finished sagas behind", about, ["behind"].into_iter().chain(FIGURES));
    let change = |index: usize| match (before[index].as_f64(), after[index].as_f64()) {
        (Some(before), Some(after)) if before > 0.0 => json!(round((after / before - 1.0) * 100.0)),
        _ => Value::Null,
    };
    let changes: Vec<Value> = (0..=CPU).map(change).collect();
    section.row(std::iter::once(json!(0)).chain(before.clone()));
    section.row(std::iter::once(json!(options.finished)).chain(after.clone()));
    section.row(std::iter::once(json!("change, %")).chain(changes).chain([Value::Null]));
    Ok(section)
}

async fn windows(live: &Live, load: &Load, options: &Cost) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for _ in 0..WINDOWS {
        all.push(window(live, load, options).await?);
    }
    let figure = |index: usize| median(all.iter().filter_map(|figures| figures[index].as_f64()).collect());
    (0..FIGURES.len()).map(|index| figure(index).map(|value| json!(value)).context("no saga has ended")).collect()
}
