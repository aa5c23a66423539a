//! A participant of a peer that brings none: an HTTP server which stores what it was asked to do in a database of its own and
//! answers. Also the one place that makes databases for the peers.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::{Parser, Subcommand};
use peer_workload::{Order, Reply};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

const CONNECTIONS: u32 = 8;
const TABLE: &str = "CREATE TABLE IF NOT EXISTS done (
    order_id text NOT NULL, command text NOT NULL, ok boolean NOT NULL, data text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (order_id, command))";
/// Asked again, it answers again and stores nothing: what any participant of a saga has to do.
const STORE: &str = "INSERT INTO done (order_id, command, ok, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// A participant, or its database.
#[derive(Debug, Parser)]
struct Options {
    /// The database server, as its superuser, up to the last slash
    #[arg(long, env = "PEER_POSTGRES", hide_env_values = true)]
    postgres: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes these databases anew, empty
    Fresh {
        /// Their names
        names: Vec<String>,
    },
    /// Takes commands
    Serve {
        /// Where
        #[arg(long)]
        listen: SocketAddr,
        /// Its database
        #[arg(long)]
        database: String,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    match options.command {
        Command::Fresh { names } => fresh(&options.postgres, &names).await,
        Command::Serve { listen, database } => serve(&format!("{}/{database}", options.postgres), listen).await,
    }
}

async fn fresh(server: &str, names: &[String]) -> Result<()> {
    let url = format!("{server}/postgres");
    let mut connection = PgConnection::connect(&url).await.context("could not reach Postgres")?;
    for name in names {
        connection.execute(format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)").as_str()).await?;
        connection.execute(format!("CREATE DATABASE \"{name}\"").as_str()).await?;
    }
    Ok(())
}

async fn serve(url: &str, listen: SocketAddr) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
    pool.execute(TABLE).await?;
    let app = Router::new().route("/{command}", post(take)).with_state(pool);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

async fn take(
    State(pool): State<PgPool>,
    Path(command): Path<String>,
    Json(order): Json<Order>,
) -> Result<Json<Reply>, (StatusCode, String)> {
    let reply = order.answer(&command);
    let stored =
        sqlx::query(STORE).bind(&order.id).bind(&command).bind(reply.ok).bind(&order.data).execute(&pool).await;
    stored.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(reply))
}
