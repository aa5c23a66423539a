//! Loads another event store as `tools/bench-event-store` loads ours: single events by 64 writers, batches of 100, recovery of a
//! stream of 10,000 events. Prints its row as JSON. Started by `cargo xtask bench event-store --peers`, one load a call.

mod cqrs;
mod database;
mod disintegrate_store;
mod eventcore;
mod loads;
mod message_db;
mod note;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;

use database::Database;
use loads::{Load, run};

/// One load on one store, in a database of its own.
#[derive(Debug, Parser)]
struct Options {
    /// Which store
    #[arg(long)]
    store: Peer,
    /// What to do to it
    #[arg(long)]
    load: Load,
    /// A server, as its superuser
    #[arg(long, env = "POSTGRES_ADMIN_URL", hide_env_values = true)]
    postgres: String,
    /// Length of the window
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The folder of Message DB's SQL
    #[arg(long)]
    message_db: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    Eventcore,
    CqrsEs,
    Disintegrate,
    MessageDb,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let database = Database::fresh(&options.postgres).await?;
    let window = Duration::from_secs(options.seconds);
    let pool = database.pool.clone();
    let row = match options.store {
        Peer::Eventcore => run(eventcore::Eventcore::open(pool).await?, options.load, window).await,
        Peer::CqrsEs => run(cqrs::Cqrs::open(pool).await?, options.load, window).await,
        Peer::Disintegrate => run(disintegrate_store::Disintegrate::open(pool).await?, options.load, window).await,
        Peer::MessageDb => {
            let folder = options.message_db.context("Message DB's SQL is asked for: --message-db DIR")?;
            message_db::install(&pool, &folder).await?;
            run(message_db::MessageDb::open(pool).await?, options.load, window).await
        }
    };
    database.drop().await?;
    println!("{}", json!({ "rows": [row?] }));
    Ok(())
}
