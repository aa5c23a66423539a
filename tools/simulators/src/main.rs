//! backstitch-simulators: the simulated payment gateway and carrier as one process. Only reads its options and serves.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use backstitch_simulators::ledger::Ledger;
use backstitch_simulators::serve;
use backstitch_simulators::server::{Behaviour, Simulators};
use clap::Parser;
use tokio::net::TcpListener;

/// A payment gateway and a carrier that behave as each request's data says (docs/simulators.md has the table).
#[derive(Debug, Parser)]
#[command(name = "backstitch-simulators", version)]
struct Options {
    /// Where to listen; port 0 takes a free one. The address is printed once it is open.
    #[arg(long, env = "BACKSTITCH_SIMULATORS_LISTEN", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// File of facts, one JSON line each; read at start, so that sums survive a restart. Without it all is forgotten.
    #[arg(long, env = "BACKSTITCH_SIMULATORS_DATA", value_name = "FILE")]
    data: Option<PathBuf>,
    /// How late a slow answer comes.
    #[arg(long, env = "BACKSTITCH_SIMULATORS_SLOW_SECONDS", default_value_t = 20)]
    slow_seconds: u64,
    /// How long after it was taken a parcel is delivered; without it none ever is.
    #[arg(long, env = "BACKSTITCH_SIMULATORS_DELIVERY_SECONDS", value_name = "SECONDS")]
    delivery_seconds: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();
    let ledger = match &options.data {
        Some(path) => Ledger::open(path)?,
        None => Ledger::in_memory(),
    };
    let behaviour = Behaviour {
        slow: Duration::from_secs(options.slow_seconds),
        delivery: options.delivery_seconds.map(Duration::from_secs),
    };
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("could not listen on {}", options.listen))?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    serve(listener, Simulators::new(ledger, behaviour)).await.context("the server failed")
}
