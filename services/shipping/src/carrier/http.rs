//! The carrier over HTTP: asked again under the same key until the outcome is certain, and given up only by making the
//! shipment impossible.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_external_call::{Calls, Reply, Uncertain, read};
use chrono::{DateTime, SubsecRound as _, Utc};
use reqwest::Client;
use serde::{Deserialize, Serialize};

use super::{Carrier, CarrierSettings};
use crate::domain::{CallBack, Parcel, ParcelOutcome};

/// A carrier at an address.
#[derive(Debug)]
pub struct HttpCarrier {
    base: String,
    give_up_after: Duration,
    client: Client,
    calls: Calls,
}

#[derive(Serialize)]
struct ShipmentRequest<'a> {
    order_id: String,
    postal_code: &'a str,
}

#[derive(Deserialize)]
struct ShipmentAnswer {
    outcome: ShipmentWord,
    carrier: String,
    tracking_number: Option<String>,
    shipped_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShipmentWord {
    Shipped,
    Refused,
    Cancelled,
    NeverShipped,
}

impl HttpCarrier {
    /// Over a client of its own.
    ///
    /// # Errors
    /// If the system has no usable TLS.
    pub fn new(settings: CarrierSettings) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(settings.calls.timeout()).build()?;
        Ok(Self {
            base: settings.url.trim_end_matches('/').to_owned(),
            give_up_after: Duration::from_secs(settings.give_up_after_seconds),
            client,
            calls: Calls::new("carrier", settings.calls),
        })
    }

    async fn ask(&self, parcel: &Parcel) -> Result<ParcelOutcome, Uncertain> {
        let body = ShipmentRequest { order_id: parcel.order_id.to_string(), postal_code: parcel.address.postal_code() };
        let request = self.client.post(format!("{}/shipments", self.base)).header("idempotency-key", &parcel.key);
        let asked = read::<ShipmentAnswer>(request.json(&body).send().await).await;
        if let Err(lost @ Uncertain::NoAnswer { .. }) = asked {
            // What is known under the key is told quicker than by a carrier that is slow to take parcels.
            return match self.look_up(&parcel.key).await {
                Ok(Reply::Said(answer)) => Ok(understood(answer)),
                Ok(Reply::NothingKnown | Reply::Refused { .. }) | Err(_) => Err(lost),
            };
        }
        Ok(match asked? {
            Reply::Said(answer) => understood(answer),
            Reply::NothingKnown => refused("the carrier does not know shipments".to_owned()),
            Reply::Refused { status, text } => refused(format!("the carrier refused the request ({status}): {text}")),
        })
    }

    async fn look_up(&self, key: &str) -> Result<Reply<ShipmentAnswer>, Uncertain> {
        read(self.client.get(self.shipment(key)).send().await).await
    }

    async fn take_back(&self, key: &str) {
        let url = self.shipment(key);
        self.calls
            .until_certain(async || match read::<ShipmentAnswer>(self.client.delete(&url).send().await).await? {
                Reply::Said(_) => Ok(()),
                // The parcel must come back: a carrier that will not hear of it is asked until a person has seen to it.
                Reply::NothingKnown => Err(Uncertain::Status { status: 404 }),
                Reply::Refused { status, .. } => Err(Uncertain::Status { status }),
            })
            .await;
    }

    fn shipment(&self, key: &str) -> String {
        format!("{}/shipments/{key}", self.base)
    }
}

#[async_trait]
impl Carrier for HttpCarrier {
    async fn ship(&self, parcel: &Parcel) -> ParcelOutcome {
        let asking = self.calls.until_certain(async || self.ask(parcel).await);
        if let Ok(outcome) = tokio::time::timeout(self.give_up_after, asking).await {
            return outcome;
        }
        tracing::warn!(order_id = %parcel.order_id, key = %parcel.key, "giving up a shipment, calling it back if it was made");
        self.take_back(&parcel.key).await;
        refused("the carrier did not answer".to_owned())
    }

    async fn call_back(&self, call: &CallBack) {
        self.take_back(&call.key).await;
    }

    async fn delivered_at(&self, key: &str) -> Option<DateTime<Utc>> {
        let asked = self.calls.until_certain(async || self.look_up(key).await).await;
        match asked {
            Reply::Said(answer) => answer.delivered_at.map(|at| at.trunc_subsecs(6)),
            Reply::NothingKnown | Reply::Refused { .. } => None,
        }
    }
}

fn understood(answer: ShipmentAnswer) -> ParcelOutcome {
    match (answer.outcome, answer.tracking_number, answer.shipped_at) {
        (ShipmentWord::Shipped, Some(tracking_number), Some(shipped_at)) => {
            // Finer than microseconds is cut on the wire; what is stored should say the same.
            let shipped_at = shipped_at.trunc_subsecs(6);
            ParcelOutcome::Taken { tracking_number, carrier: answer.carrier, shipped_at }
        }
        (ShipmentWord::Shipped, ..) => refused("the carrier named no tracking number".to_owned()),
        (ShipmentWord::Refused, ..) => refused("the carrier refuses the parcel".to_owned()),
        // A shipment given up before a crash, and asked for again after it: nothing is left of it.
        (ShipmentWord::Cancelled | ShipmentWord::NeverShipped, ..) => refused("the shipment was given up".to_owned()),
    }
}

const fn refused(reason: String) -> ParcelOutcome {
    ParcelOutcome::Refused { reason }
}
