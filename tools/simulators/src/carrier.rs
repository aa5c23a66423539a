//! The carrier: takes parcels, calls them back, delivers them. Apart from the gateway, which shares nothing with it but
//! the ledger.

use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::line::Line;
use crate::script::{Manner, ShipmentScript};
use crate::server::{Behaviour, Simulators, Unanswerable, key_of};
use crate::state::{Shipment, ShipmentOutcome, State};

/// The name this carrier goes by.
pub const CARRIER: &str = "Simulated Parcels";

/// The carrier's routes.
pub fn routes() -> Router<Simulators> {
    Router::new().route("/shipments", post(ship)).route("/shipments/{key}", get(shipment_of).delete(cancel))
}

/// Body of `POST /shipments`; the header `idempotency-key` goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentRequest {
    /// What the parcel belongs to.
    pub order_id: String,
    /// Where to; chooses the script.
    pub postal_code: String,
}

/// Where a shipment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentAnswer {
    /// Its idempotency key.
    pub key: String,
    /// Where it stands.
    pub outcome: ShipmentOutcome,
    /// Who carries it.
    pub carrier: String,
    /// Given to the customer, once taken.
    pub tracking_number: Option<String>,
    /// When it was taken.
    pub shipped_at: Option<DateTime<Utc>>,
    /// When it was delivered, if it was.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl ShipmentAnswer {
    fn of(key: &str, shipment: &Shipment, behaviour: Behaviour, now: DateTime<Utc>) -> Self {
        let shipped_at = shipment.taken.as_ref().map(|(_, at)| *at);
        let delivered_at = shipped_at
            .filter(|_| shipment.outcome == ShipmentOutcome::Shipped)
            .zip(behaviour.delivery.and_then(|after| TimeDelta::from_std(after).ok()))
            .and_then(|(at, after)| at.checked_add_signed(after))
            .filter(|at| *at <= now);
        Self {
            key: key.to_owned(),
            outcome: shipment.outcome,
            carrier: CARRIER.to_owned(),
            tracking_number: shipment.taken.as_ref().map(|(number, _)| number.clone()),
            shipped_at,
            delivered_at,
        }
    }
}

async fn ship(
    Shared(simulators): Shared<Simulators>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    Json(request): Json<ShipmentRequest>,
) -> Result<Response, Unanswerable> {
    let key = key_of(&headers)?;
    let now = Utc::now();
    let manner = ask_for_shipment(&mut simulators.ledger(), &key, &request, now)?;
    tracing::info!(%key, order_id = %request.order_id, postal_code = %request.postal_code, ?manner, "shipment asked for");
    let answer = answer_of(&simulators, &key, now);
    Ok(simulators.give(manner, &line, Json(answer).into_response()).await)
}

fn ask_for_shipment(
    ledger: &mut Ledger,
    key: &str,
    request: &ShipmentRequest,
    now: DateTime<Utc>,
) -> Result<Manner, Unanswerable> {
    let asked = ledger.ask(key);
    let (entry, manner) = decide(ledger.state(), key, request, asked, now)?;
    if let Some(entry) = entry {
        ledger.record(&entry)?;
    }
    Ok(manner)
}

/// What the `asked`-th request of a key does, and how it is answered. Pure.
fn decide(
    state: &State,
    key: &str,
    request: &ShipmentRequest,
    asked: u32,
    now: DateTime<Utc>,
) -> Result<(Option<Entry>, Manner), Unanswerable> {
    if let Some(known) = state.shipment(key) {
        let same = known.order_id == request.order_id || known.outcome == ShipmentOutcome::NeverShipped;
        return if same { Ok((None, Manner::AtOnce)) } else { Err(Unanswerable::KeyReused { key: key.to_owned() }) };
    }
    let order_id = || request.order_id.clone();
    let shipped = || {
        let tracking_number = tracking_number(key);
        Some(Entry::Shipped { key: key.to_owned(), order_id: order_id(), tracking_number, shipped_at: now })
    };
    Ok(match ShipmentScript::of(&request.postal_code) {
        ShipmentScript::Refuse => (Some(Entry::Refused { key: key.to_owned(), order_id: order_id() }), Manner::AtOnce),
        ShipmentScript::Ship => (shipped(), Manner::AtOnce),
        ShipmentScript::Slow => (shipped(), Manner::Late),
        ShipmentScript::DropOnce => (shipped(), Manner::Dropped),
        ShipmentScript::FailTwice if asked <= 2 => (None, Manner::Failed),
        ShipmentScript::FailTwice => (shipped(), Manner::AtOnce),
    })
}

/// Derived from the key, so that a lost data file does not change what customers were told.
fn tracking_number(key: &str) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).simple().to_string().to_uppercase();
    format!("SIM{}", &id[..12])
}

fn answer_of(simulators: &Simulators, key: &str, now: DateTime<Utc>) -> Option<ShipmentAnswer> {
    let ledger = simulators.ledger();
    ledger.state().shipment(key).map(|shipment| ShipmentAnswer::of(key, shipment, simulators.behaviour, now))
}

async fn shipment_of(
    Shared(simulators): Shared<Simulators>,
    Path(key): Path<String>,
) -> Result<Json<ShipmentAnswer>, Unanswerable> {
    answer_of(&simulators, &key, Utc::now()).map(Json).ok_or(Unanswerable::Unknown { key })
}

async fn cancel(
    Shared(simulators): Shared<Simulators>,
    Path(key): Path<String>,
) -> Result<Json<ShipmentAnswer>, Unanswerable> {
    call_back(&mut simulators.ledger(), &key)?;
    answer_of(&simulators, &key, Utc::now()).map(Json).ok_or(Unanswerable::Unknown { key })
}

fn call_back(ledger: &mut Ledger, key: &str) -> Result<(), Unanswerable> {
    match ledger.state().shipment(key).map(|shipment| shipment.outcome) {
        None => ledger.record(&Entry::Barred { key: key.to_owned() })?,
        Some(ShipmentOutcome::Shipped) => ledger.record(&Entry::Cancelled { key: key.to_owned() })?,
        Some(ShipmentOutcome::Refused | ShipmentOutcome::Cancelled | ShipmentOutcome::NeverShipped) => {}
    }
    Ok(())
}
