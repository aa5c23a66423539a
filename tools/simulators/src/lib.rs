//! Simulated foreign systems: a payment gateway and a carrier over HTTP, scripted by the data of each request. A library
//! beside the binary, so that other crates' tests can run the servers in their own process.

pub mod carrier;
pub mod entry;
pub mod gateway;
pub mod ledger;
pub mod line;
pub mod script;
pub mod server;
pub mod state;

use std::io;

use axum::extract::State as Shared;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::line::{CuttableListener, Line};
use crate::server::Simulators;
use crate::state::Totals;

/// Answer of `GET /totals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsAnswer {
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
    /// Connections held without an answer right now.
    pub held: u64,
}

/// Serves both simulators until the process ends.
///
/// # Errors
/// Whatever the listener fails with.
pub async fn serve(listener: TcpListener, simulators: Simulators) -> io::Result<()> {
    let app = Router::new()
        .merge(gateway::routes())
        .merge(carrier::routes())
        .route("/totals", get(totals))
        .route("/livez", get(|| async { "ok" }))
        .with_state(simulators);
    axum::serve(CuttableListener(listener), app.into_make_service_with_connect_info::<Line>()).await
}

async fn totals(Shared(simulators): Shared<Simulators>) -> Json<TotalsAnswer> {
    let ledger = simulators.ledger();
    Json(TotalsAnswer { totals: ledger.state().totals().clone(), held: ledger.held() })
}
