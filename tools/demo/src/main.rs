//! Places orders of every kind on a running stack, follows their sagas on Kafka, and checks that the books balance.
//! Started by `cargo xtask demo`; its own program, so that `xtask` itself compiles in seconds.

mod follow;
mod kinds;
mod place;
mod sums;
mod tally;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use backstitch_contracts::orders::Flow;
use backstitch_saga::Outcome;
use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use follow::Journal;
use kinds::Kind;
use place::{Services, Shop};
use sums::{Databases, Expected, Sum, sums};
use tally::{End, Tally};

/// Orders that fail in every way, and books that balance.
#[derive(Debug, Parser)]
struct Options {
    /// How many orders, of all kinds in turn
    #[arg(long, default_value_t = 12)]
    orders: usize,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
    /// Give up if the sagas have not ended after so many seconds
    #[arg(long, default_value_t = 180)]
    patience_seconds: u64,
    /// Kafka
    #[arg(long, env = "KAFKA_BOOTSTRAP")]
    bootstrap: String,
    /// The schema registry
    #[arg(long, env = "SCHEMA_REGISTRY_URL")]
    registry: String,
    #[command(flatten)]
    services: Services,
    #[command(flatten)]
    databases: Databases,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<bool> {
    let id = Uuid::new_v4().simple().to_string();
    let shop = Shop::open(options.services.clone(), &id[..8]);
    let mut journal = Journal::open(&options.bootstrap, &options.registry).await?;
    let before = shop.totals().await?;
    shop.stock(options.orders).await.context("could not put anything into stock")?;
    let began = Instant::now();
    let mut tally = place(&shop, &mut journal, &options).await?;
    follow(&mut journal, &mut tally, &options).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = shop.totals().await?;
    let orders: Vec<Uuid> = tally.stories.keys().copied().collect();
    let expected = Expected {
        orders: &orders,
        product: &shop.product,
        completed: i64::try_from(tally.ended(End::Reached(Outcome::Completed)))?,
        revenue: tally.revenue(),
        before: &before,
        after: &after,
    };
    let sums = sums(&options.databases, &expected).await?;
    let good = tally.astray() == 0 && sums.iter().all(Sum::balances);
    if options.json {
        println!("{}", report(&tally, &sums, seconds));
    } else {
        summarise(&tally, &sums, seconds, &options);
    }
    Ok(good)
}

async fn place(shop: &Shop, journal: &mut Journal, options: &Options) -> Result<Tally> {
    // Once each kind as a saga, then once each choreographed, and so on.
    let each = |flow| Kind::ALL.iter().map(move |kind| (*kind, flow));
    let both = each(Flow::Orchestrated).chain(each(Flow::Choreographed));
    let wanted = both.cycle().take(options.orders);
    let placed = wanted.map(|(kind, flow)| async move { anyhow::Ok((shop.place(kind, flow).await?, kind, flow)) });
    let placed: Vec<(Uuid, Kind, Flow)> = stream::iter(placed).buffered(16).try_collect().await?;
    let mut tally = Tally::default();
    for (order_id, kind, flow) in placed {
        journal.follow(order_id, flow);
        tally.place(order_id, kind, flow);
    }
    if !options.json {
        println!("Placed {} orders. Following their sagas on `saga.events` …\n", tally.stories.len());
    }
    Ok(tally)
}

/// Until every saga has ended; prints each as it ends.
async fn follow(journal: &mut Journal, tally: &mut Tally, options: &Options) -> Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(options.patience_seconds);
    while tally.running() > 0 {
        let Ok(step) = tokio::time::timeout_at(deadline, journal.next()).await else {
            eprintln!("{} sagas have not ended after {} s", tally.running(), options.patience_seconds);
            return Ok(());
        };
        let step = step?;
        let order_id = step.order_id;
        if let Some(story) = tally.note(step).filter(|_| !options.json) {
            println!("order {} · {} · {:.2} s", &order_id.to_string()[..8], story.name(), story.seconds());
            for line in story.transcript() {
                println!("{line}");
            }
        }
    }
    Ok(())
}

fn report(tally: &Tally, sums: &[Sum], seconds: f64) -> Value {
    json!({
        "placed": tally.stories.len(),
        "completed": tally.ended(End::Reached(Outcome::Completed)),
        "rolled_back": tally.ended(End::Reached(Outcome::RolledBack)),
        "stuck": tally.ended(End::Stuck),
        "running": tally.running(),
        "astray": tally.astray(),
        "seconds": (seconds * 100.0).round() / 100.0,
        "outcomes": tally.per_kind(),
        "sums": sums.iter().map(Sum::json).collect::<Vec<_>>(),
    })
}

fn summarise(tally: &Tally, sums: &[Sum], seconds: f64, options: &Options) {
    println!();
    for sum in sums {
        let verdict = if sum.balances() { "✓".to_owned() } else { format!("✗ expected {}", sum.expected) };
        println!("{:52} {:>8}  {verdict}", sum.name, sum.found);
    }
    println!(
        "\n{} orders in {seconds:.1} s: {} completed, {} rolled back, {} stuck, {} other than their kind demands",
        tally.stories.len(),
        tally.ended(End::Reached(Outcome::Completed)),
        tally.ended(End::Reached(Outcome::RolledBack)),
        tally.ended(End::Stuck),
        tally.astray(),
    );
    println!("\nLook at them:  {}/sagas", options.services.orchestrator_url);
    println!("The API:       {}/openapi.json", options.services.orchestrator_url);
    println!("Metrics:       {}/metrics", options.services.orchestrator_url);
}
