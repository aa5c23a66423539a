//! The payment gateway: charges and refunds. Apart from the carrier, which shares nothing with it but the ledger.

use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::line::Line;
use crate::script::{ChargeScript, Manner};
use crate::server::{Simulators, Unanswerable, key_of};
use crate::state::{Charge, ChargeOutcome, State};

/// The gateway's routes.
pub fn routes() -> Router<Simulators> {
    Router::new()
        .route("/charges", post(charge))
        .route("/charges/{key}", get(charge_of))
        .route("/refunds", post(refund))
}

/// Body of `POST /charges`; the header `idempotency-key` goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// What the money is for.
    pub order_id: String,
    /// Minor units, positive.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Where a charge stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeAnswer {
    /// Its idempotency key.
    pub key: String,
    /// Where it stands.
    pub outcome: ChargeOutcome,
    /// Minor units asked for.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

impl ChargeAnswer {
    fn of(key: &str, charge: &Charge) -> Self {
        Self { key: key.to_owned(), outcome: charge.outcome, amount: charge.amount, currency: charge.currency.clone() }
    }
}

/// Body of `POST /refunds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// The idempotency key of the charge to give back.
    pub charge_key: String,
}

/// What a refund came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RefundAnswer {
    /// The money went back, now or at an earlier request.
    Refunded {
        /// Minor units.
        amount: i64,
        /// ISO 4217.
        currency: String,
    },
    /// Nothing was charged under the key, and nothing ever will be.
    NothingCharged,
}

async fn charge(
    Shared(simulators): Shared<Simulators>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    Json(request): Json<ChargeRequest>,
) -> Result<Response, Unanswerable> {
    let key = key_of(&headers)?;
    if request.amount <= 0 {
        return Err(Unanswerable::Amount { amount: request.amount });
    }
    let (manner, answer) = ask_for_charge(&mut simulators.ledger(), &key, &request)?;
    tracing::info!(%key, order_id = %request.order_id, amount = request.amount, ?manner, "charge asked for");
    Ok(simulators.give(manner, &line, Json(answer).into_response()).await)
}

/// Decides and records; `None` is an answer about something that did not happen and is never given.
fn ask_for_charge(
    ledger: &mut Ledger,
    key: &str,
    request: &ChargeRequest,
) -> Result<(Manner, Option<ChargeAnswer>), Unanswerable> {
    let asked = ledger.ask(key);
    let (entry, manner) = decide(ledger.state(), key, request, asked)?;
    if let Some(entry) = entry {
        ledger.record(&entry)?;
    }
    let answer = ledger.state().charge(key).map(|charge| ChargeAnswer::of(key, charge));
    Ok((manner, answer))
}

/// What the `asked`-th request of a key does, and how it is answered. Pure.
fn decide(
    state: &State,
    key: &str,
    request: &ChargeRequest,
    asked: u32,
) -> Result<(Option<Entry>, Manner), Unanswerable> {
    let script = ChargeScript::of(request.amount);
    if let Some(known) = state.charge(key) {
        let same =
            (known.amount, &known.currency, &known.order_id) == (request.amount, &request.currency, &request.order_id);
        if !same && known.outcome != ChargeOutcome::Voided {
            return Err(Unanswerable::KeyReused { key: key.to_owned() });
        }
        let dropped = script == ChargeScript::DropTwice && asked <= 2 && known.outcome == ChargeOutcome::Approved;
        return Ok((None, if dropped { Manner::Dropped } else { Manner::AtOnce }));
    }
    let charged = || {
        let ChargeRequest { order_id, amount, currency } = request.clone();
        Some(Entry::Charged { key: key.to_owned(), order_id, amount, currency })
    };
    let declined = |retryable| {
        let ChargeRequest { order_id, amount, currency } = request.clone();
        Some(Entry::Declined { key: key.to_owned(), order_id, amount, currency, retryable })
    };
    Ok(match script {
        ChargeScript::Decline => (declined(false), Manner::AtOnce),
        ChargeScript::DeclineFirst if !state.was_declined_before(&request.order_id) => (declined(true), Manner::AtOnce),
        ChargeScript::Approve | ChargeScript::DeclineFirst => (charged(), Manner::AtOnce),
        ChargeScript::Slow => (charged(), Manner::Late),
        ChargeScript::DropTwice => (charged(), Manner::Dropped),
        ChargeScript::FailTwice if asked <= 2 => (None, Manner::Failed),
        ChargeScript::FailTwice => (charged(), Manner::AtOnce),
        ChargeScript::Never => (None, Manner::Held),
    })
}

async fn charge_of(
    Shared(simulators): Shared<Simulators>,
    Path(key): Path<String>,
) -> Result<Json<ChargeAnswer>, Unanswerable> {
    let ledger = simulators.ledger();
    let answer = ledger.state().charge(&key).map(|charge| ChargeAnswer::of(&key, charge));
    answer.map(Json).ok_or(Unanswerable::Unknown { key })
}

async fn refund(
    Shared(simulators): Shared<Simulators>,
    Json(request): Json<RefundRequest>,
) -> Result<Json<RefundAnswer>, Unanswerable> {
    let answer = give_back(&mut simulators.ledger(), request.charge_key)?;
    Ok(Json(answer))
}

fn give_back(ledger: &mut Ledger, key: String) -> Result<RefundAnswer, Unanswerable> {
    let Some(charge) = ledger.state().charge(&key).cloned() else {
        ledger.record(&Entry::Voided { key })?;
        return Ok(RefundAnswer::NothingCharged);
    };
    match charge.outcome {
        ChargeOutcome::Approved => ledger.record(&Entry::Refunded { key })?,
        ChargeOutcome::Refunded => {}
        ChargeOutcome::Declined | ChargeOutcome::DeclinedRetryable | ChargeOutcome::Voided => {
            return Ok(RefundAnswer::NothingCharged);
        }
    }
    Ok(RefundAnswer::Refunded { amount: charge.amount, currency: charge.currency })
}
