//! Finished sagas behind: whether a saga costs more where many have ended. Its own file, because it compares.

use anyhow::{Context as _, Result};
use backstitch_dev::commands::bench::Cost;
use backstitch_dev::progress::Task;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::windows::{FIGURES, window};
use super::{LANES, plant, raise};
use crate::figures::{median, round};
use crate::findings::Section;
use crate::load::{Load, Shape};
use crate::stage::{Live, Stage};

/// Windows without and with, in turn; medians are told.
const PAIRS: usize = 5;
/// Of the figures, all but how busy others were are compared.
const COMPARED: usize = FIGURES.len() - 1;

/// One saga for so many that are planted runs on their tables before anything is measured. Right after planting, pages of the index
/// of ids are neither in the database's memory nor have been written to since the checkpoint, and a page's first write goes to
/// the log whole. By then seven of eight pages have been written to.
const PLANTED_PER_SAGA: u64 = 100;

/// Windows with next to nothing behind and with so many finished sagas, in turn.
pub(super) async fn behind(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let live = raise(stage, LANES).await?;
    let load = live.load(Shape::default()).await?;
    task.step("sagas to be copied");
    window(&live, &load, options).await?;
    live.stop("orchestrator").await?;
    let mut db = live.database("orchestrator").await?;
    let mut admin = PgConnection::connect(&live.env("POSTGRES_ADMIN_URL")?).await?;
    let progress = |planted| task.step(&format!("{planted} of {} finished sagas planted", options.finished));
    let behind = plant::Behind::plant(options.finished, &mut db, &mut admin, progress).await?;

    behind.swap(&mut db).await?;
    let ran_before = write_to(&live, &load, options, task).await?;
    behind.swap(&mut db).await?;

    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        // Who is first changes, so that a machine that grows faster or slower favours nobody.
        for is_behind in if pair % 2 == 0 { [false, true] } else { [true, false] } {
            task.step(&format!("pair {} of {PAIRS}, {}", pair + 1, if is_behind { "with" } else { "without" }));
            if is_behind {
                behind.swap(&mut db).await?;
            }
            let figures = one(&live, &load, options).await?;
            if is_behind {
                behind.swap(&mut db).await?;
                with.push(figures);
            } else {
                without.push(figures);
            }
        }
    }
    section(options, &behind, ran_before, &without, &with)
}

/// Sagas that are not measured, on the tables as they are; answers how many.
async fn write_to(live: &Live, load: &Load, options: &Cost, task: &Task) -> Result<f64> {
    let wanted = options.finished / PLANTED_PER_SAGA;
    live.start("orchestrator", live.definitions()?).await?;
    let mut sagas = 0.0;
    while sagas < wanted as f64 {
        task.step(&format!("{sagas:.0} of {wanted} sagas on the planted tables, before anything is measured"));
        let [per_second, ..] = window(live, load, options).await?;
        let per_second = per_second.as_f64().filter(|rate| *rate > 0.0).context("no saga has ended")?;
        sagas += per_second * options.seconds as f64;
    }
    live.stop("orchestrator").await?;
    Ok(sagas)
}

/// One window of an orchestrator that has just started and seen one before.
async fn one(live: &Live, load: &Load, options: &Cost) -> Result<Vec<Value>> {
    live.start("orchestrator", live.definitions()?).await?;
    window(live, load, options).await?;
    let figures = window(live, load, options).await?;
    live.stop("orchestrator").await?;
    Ok(figures.into())
}

fn section(
    options: &Cost,
    behind: &plant::Behind,
    ran_before: f64,
    without: &[Vec<Value>],
    with: &[Vec<Value>],
) -> Result<Section> {
    let about = format!(
        "{} order sagas in flight; medians of {PAIRS} pairs of windows, one without and one with what is behind, which was \
         planted: each with {:.1} rows of its journal, whose entries are left out; {:.1} GB with all indexes. {ran_before:.0} sagas ran there \
         before. The last line is the median of the pairs' changes, %.",
        options.in_flight, behind.journal_rows, behind.gigabytes
    );
    let mut section = Section::new("Finished sagas behind", about, ["behind"].into_iter().chain(FIGURES));
    for (behind, windows) in [(0, without), (options.finished, with)] {
        let figures = (0..FIGURES.len()).map(|index| {
            let figure = median(windows.iter().filter_map(|figures| figures[index].as_f64()).collect());
            figure.map(|figure| json!(figure)).context("no saga has ended")
        });
        section.row(std::iter::once(json!(behind)).chain(figures.collect::<Result<Vec<_>>>()?));
    }
    let changes = (0..COMPARED).map(|index| {
        let pairs = without.iter().zip(with).filter_map(|(before, after)| {
            let (before, after) = (before[index].as_f64()?, after[index].as_f64()?);
            (before > 0.0).then(|| (after / before - 1.0) * 100.0)
        });
        median(pairs.collect()).map_or(Value::Null, |change| json!(round(change)))
    });
    section.row(std::iter::once(json!("change, %")).chain(changes).chain([Value::Null]));
    Ok(section)
}
