//! Growth that shows in windows of load: lanes and orchestrators, data, one hot product. Separate from what is planted.

use anyhow::Result;
use backstitch_dev::commands::bench::Cost;
use backstitch_dev::progress::Task;
use serde_json::{Value, json};

use super::{LANES, raise};
use crate::findings::Section;
use crate::load::{Kind, Load, Shape};
use crate::saga;
use crate::stage::{Live, Stage, replicas};

/// What is told of each window.
pub(super) const FIGURES: [&str; 5] = ["sagas/s", "p50 ms", "p99 ms", "CPU ms a saga, all", "others, cores"];

/// One window with as many sagas in flight as said.
pub(super) async fn window(live: &Live, load: &Load, options: &Cost) -> Result<[Value; 5]> {
    let window = saga::closed(load, options.in_flight, &saga::Options::of(live, options.seconds)?).await?;
    Ok([
        window["sagas_per_second"].clone(),
        window["start_to_end_ms"]["p50"].clone(),
        window["start_to_end_ms"]["p99"].clone(),
        window["cpu_ms_per_saga_all"].clone(),
        window["others_cores"].clone(),
    ])
}

fn columns(first: &[&'static str]) -> Vec<&'static str> {
    first.iter().chain(&FIGURES).copied().collect()
}

/// Each number of lanes with each number of orchestrators, on a stack of its own.
pub(super) async fn scaling(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let about = format!("{} order sagas in flight; everything on one machine.", options.in_flight);
    let mut section = Section::new("Lanes and orchestrators", about, columns(&["lanes", "orchestrators"]));
    for partitions in &options.partitions {
        let live = raise(stage, *partitions).await?;
        let load = live.load(Shape::default()).await?;
        let mut db = live.database("orchestrator").await?;
        for count in &options.orchestrators {
            task.step(&format!("{partitions} lanes, {count} orchestrators"));
            let names = replicas("orchestrator", *count);
            for name in &names {
                live.start(name, live.definitions()?).await?;
            }
            // There may be more orchestrators than lanes.
            live.settled(&names, &mut db).await?;
            let figures = window(&live, &load, options).await?;
            section.row([json!(partitions), json!(count)].into_iter().chain(figures));
        }
    }
    Ok(section)
}

/// Sagas that carry more and more data.
pub(super) async fn payload(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let about = format!(
        "{} sagas in flight that ask nobody: four delays of 10 ms, and data that is written at each step.",
        options.in_flight
    );
    let mut section = Section::new("Data carried along", about, columns(&["bytes"]));
    let live = raise(stage, LANES).await?;
    for bytes in &options.payloads {
        task.step(&format!("{bytes} bytes"));
        let load = live.load(Shape { kind: Kind::Relays { bytes: *bytes }, ..Shape::default() }).await?;
        let figures = window(&live, &load, options).await?;
        section.row(std::iter::once(json!(bytes)).chain(figures));
    }
    Ok(section)
}

/// Two replicas of the inventory, with many products and with one.
pub(super) async fn hot_product(stage: &Stage, options: &Cost, task: &Task) -> Result<Section> {
    let about = format!("{} order sagas in flight, two replicas of the inventory.", options.in_flight);
    let mut section = Section::new("One product that everybody wants", about, columns(&["products"]));
    let live = raise(stage, LANES).await?;
    live.start("inventory#2", Vec::new()).await?;
    for products in [100, 1] {
        task.step(&format!("{products} products"));
        let load = live.load(Shape { products, ..Shape::default() }).await?;
        let figures = window(&live, &load, options).await?;
        section.row(std::iter::once(json!(products)).chain(figures));
    }
    Ok(section)
}
