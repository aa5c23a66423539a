//! The gateway over HTTP: asked again under the same key until the outcome is certain, and given up only by making the
//! charge impossible.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_domain::{Currency, Money};
use backstitch_external_call::{Calls, Reply, Uncertain, read};
use reqwest::Client;
use serde::{Deserialize, Serialize};

use super::{Gateway, GatewaySettings};
use crate::domain::{Charge, ChargeOutcome, Refund, RefundOutcome};

/// A gateway at an address.
#[derive(Debug)]
pub struct HttpGateway {
    base: String,
    give_up_after: Duration,
    client: Client,
    calls: Calls,
}

#[derive(Serialize)]
struct ChargeRequest<'a> {
    order_id: String,
    amount: i64,
    currency: &'a str,
}

#[derive(Deserialize)]
struct ChargeAnswer {
    outcome: ChargeWord,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChargeWord {
    Approved,
    Declined,
    DeclinedRetryable,
    Refunded,
    Voided,
}

#[derive(Serialize)]
struct RefundRequest<'a> {
    charge_key: &'a str,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum RefundAnswer {
    Refunded { amount: i64, currency: Currency },
    NothingCharged,
}

impl HttpGateway {
    /// Over a client of its own.
    ///
    /// # Errors
    /// If the system has no usable TLS.
    pub fn new(settings: GatewaySettings) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(settings.calls.timeout()).build()?;
        Ok(Self {
            base: settings.url.trim_end_matches('/').to_owned(),
            give_up_after: Duration::from_secs(settings.give_up_after_seconds),
            client,
            calls: Calls::new("gateway", settings.calls),
        })
    }

    async fn ask_charge(&self, charge: &Charge) -> Result<ChargeOutcome, Uncertain> {
        let body = ChargeRequest {
            order_id: charge.order_id.to_string(),
            amount: charge.money.minor_units,
            currency: charge.money.currency.code(),
        };
        let request = self.client.post(format!("{}/charges", self.base)).header("idempotency-key", &charge.key);
        let asked = read::<ChargeAnswer>(request.json(&body).send().await).await;
        if let Err(lost @ Uncertain::NoAnswer { .. }) = asked {
            return self.look_up(&charge.key).await.unwrap_or(Err(lost));
        }
        Ok(match asked? {
            Reply::Said(answer) => understood(&answer.outcome),
            Reply::NothingKnown => declined("the gateway does not know charges".to_owned()),
            Reply::Refused { status, text } => declined(format!("the gateway refused the request ({status}): {text}")),
        })
    }

    /// After an answer was lost: asking what is known under the key is quicker than a gateway that is slow to charge.
    /// `None` if that tells nothing either.
    async fn look_up(&self, key: &str) -> Option<Result<ChargeOutcome, Uncertain>> {
        let known = self.client.get(format!("{}/charges/{key}", self.base)).send().await;
        match read::<ChargeAnswer>(known).await {
            Ok(Reply::Said(answer)) => Some(Ok(understood(&answer.outcome))),
            Ok(Reply::NothingKnown | Reply::Refused { .. }) | Err(_) => None,
        }
    }

    async fn give_back(&self, charge_key: &str) -> RefundOutcome {
        let url = format!("{}/refunds", self.base);
        let body = RefundRequest { charge_key };
        self.calls
            .until_certain(async || {
                match read::<RefundAnswer>(self.client.post(&url).json(&body).send().await).await? {
                    Reply::Said(RefundAnswer::Refunded { amount, currency }) => {
                        Ok(RefundOutcome::Refunded { money: Money::new(amount, currency) })
                    }
                    Reply::Said(RefundAnswer::NothingCharged) => Ok(RefundOutcome::NothingCharged),
                    // Money must go back: a gateway that will not hear of it is asked until a person has seen to it.
                    Reply::NothingKnown => Err(Uncertain::Status { status: 404 }),
                    Reply::Refused { status, .. } => Err(Uncertain::Status { status }),
                }
            })
            .await
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    async fn charge(&self, charge: &Charge) -> ChargeOutcome {
        let asking = self.calls.until_certain(async || self.ask_charge(charge).await);
        if let Ok(outcome) = tokio::time::timeout(self.give_up_after, asking).await {
            return outcome;
        }
        tracing::warn!(order_id = %charge.order_id, key = %charge.key, "giving up a charge, taking it back if it was made");
        self.give_back(&charge.key).await;
        ChargeOutcome::NotNow { reason: "the gateway did not answer".to_owned() }
    }

    async fn refund(&self, refund: &Refund) -> RefundOutcome {
        self.give_back(&refund.charge_key).await
    }
}

fn understood(word: &ChargeWord) -> ChargeOutcome {
    match word {
        ChargeWord::Approved => ChargeOutcome::Approved { payment_method: "card".to_owned() },
        ChargeWord::Declined => declined("the charge was declined".to_owned()),
        ChargeWord::DeclinedRetryable => ChargeOutcome::NotNow { reason: "the charge was declined for now".to_owned() },
        // A charge given up before a crash, and asked for again after it: nothing is left of it.
        ChargeWord::Refunded | ChargeWord::Voided => {
            ChargeOutcome::NotNow { reason: "the charge was given up".to_owned() }
        }
    }
}

const fn declined(reason: String) -> ChargeOutcome {
    ChargeOutcome::Declined { reason }
}
