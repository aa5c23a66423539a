//! The order saga on DBOS Transact: a library, so the executor is this process, with a door of its own; each step is a command
//! to a participant elsewhere. Sagas are started directly, which is DBOS's usual and cheapest way.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use dbos::{Config, DBOS, StartOptions, WorkflowRef};
use peer_workload::{Order, PAYMENT, Reply};

/// The executor.
#[derive(Debug, Parser)]
struct Options {
    /// Where sagas are begun
    #[arg(long)]
    listen: SocketAddr,
    /// Its database
    #[arg(long, env = "PEER_DATABASE", hide_env_values = true)]
    database: String,
    /// Connections to it
    #[arg(long, default_value_t = 20)]
    connections: u32,
    /// Where order, inventory, payment and shipping listen
    #[arg(long, value_delimiter = ',', required = true)]
    participants: Vec<String>,
}

/// The participants, as the saga sees them.
struct Participants {
    client: reqwest::Client,
    urls: Vec<String>,
}

impl Participants {
    /// Sends a command until it is answered. The participant takes repeats for one.
    async fn ask(&self, participant: usize, command: &str, order: &Order) -> dbos::Result<Reply> {
        loop {
            match self.try_ask(participant, command, order).await {
                Ok(reply) => return Ok(reply),
                Err(error) => {
                    eprintln!("{command}: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn try_ask(&self, participant: usize, command: &str, order: &Order) -> reqwest::Result<Reply> {
        let url = self.urls.get(participant).map_or("", String::as_str);
        self.client.post(format!("{url}/{command}")).json(order).send().await?.error_for_status()?.json().await
    }
}

const ORDER: usize = 0;
const INVENTORY: usize = 1;
const PAYMENTS: usize = 2;
const SHIPPING: usize = 3;

/// Whether it was rolled back.
async fn saga(participants: Arc<Participants>, order: Order) -> dbos::Result<bool> {
    let (all, order) = (&participants, &order);
    dbos::step("confirm", || all.ask(ORDER, "confirm", order)).await?;
    dbos::step("reserve", || all.ask(INVENTORY, "reserve", order)).await?;
    let paid = dbos::step(PAYMENT, || all.ask(PAYMENTS, PAYMENT, order)).await?;
    if !paid.ok {
        dbos::step("release", || all.ask(INVENTORY, "release", order)).await?;
        dbos::step("cancel", || all.ask(ORDER, "cancel", order)).await?;
        return Ok(true);
    }
    dbos::step("create", || all.ask(SHIPPING, "create", order)).await?;
    Ok(false)
}

type Sagas = Arc<WorkflowRef<Order, bool>>;

async fn run(
    State(sagas): State<Sagas>,
    Path(id): Path<String>,
    Json(order): Json<Order>,
) -> Result<Json<bool>, (StatusCode, String)> {
    let failed = |error: dbos::Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let options = StartOptions { workflow_id: Some(&id), ..Default::default() };
    let handle = sagas.start_with(order, options).await.map_err(failed)?;
    handle.result().await.map(Json).map_err(failed)
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let client = reqwest::Client::builder().http2_prior_knowledge().build()?;
    let participants = Arc::new(Participants { client, urls: options.participants });
    let dbos = DBOS::new(Config {
        app_version: Some("1".into()),
        max_connections: options.connections,
        executor_id: Some("executor".into()),
        ..Config::new("peer", &options.database)
    });
    let sagas = dbos.register_workflow("saga", move |order: Order| saga(participants.clone(), order))?;
    dbos.launch().await?;
    let app = Router::new().route("/OrderSaga/{id}/run", post(run)).with_state(Arc::new(sagas));
    axum::serve(tokio::net::TcpListener::bind(options.listen).await?, app).await?;
    Ok(())
}
