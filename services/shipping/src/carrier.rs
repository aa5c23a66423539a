//! The carrier as this service sees it, and the two ways to it. The trait stands between, so that the domain's calls do
//! not know whether anything is sent.

mod http;
mod instant;

pub use http::HttpCarrier;
pub use instant::InstantCarrier;

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_external_call::CallSettings;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{CallBack, Parcel, ParcelOutcome};

/// Takes parcels, calls them back, delivers them. Everything is asked until the outcome is certain, and may be asked
/// again at any time: a key is one parcel.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Hands the parcel over, or finds out for certain that it was not taken.
    async fn ship(&self, parcel: &Parcel) -> ParcelOutcome;

    /// Calls the parcel back; if it was never taken, it never will be.
    async fn call_back(&self, call: &CallBack);

    /// When the parcel of this key arrived, if it did.
    async fn delivered_at(&self, key: &str) -> Option<DateTime<Utc>>;
}

/// Which way to the carrier, where it is, and how patient to be with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierSettings {
    /// Which way.
    pub kind: CarrierKind,
    /// Its address, without a path: `http://127.0.0.1:8090`.
    pub url: String,
    /// How long a shipment is asked for before it is made impossible and reported as not made, in seconds. Longer than a
    /// saga's step waits, so that the saga's own patience counts first.
    pub give_up_after_seconds: u64,
    /// Timeouts, delays and limits.
    pub calls: CallSettings,
}

/// Which way to the carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierKind {
    /// Over HTTP.
    #[default]
    Http,
    /// None: commands are answered at once, in the transaction that they came in.
    Instant,
}

impl CarrierSettings {
    /// The carrier that can be done without, if that is the way.
    #[must_use]
    pub fn instant(&self) -> Option<InstantCarrier> {
        (self.kind == CarrierKind::Instant).then_some(InstantCarrier)
    }
}

impl Default for CarrierSettings {
    fn default() -> Self {
        Self {
            kind: CarrierKind::default(),
            url: "http://127.0.0.1:8090".to_owned(),
            give_up_after_seconds: 60,
            calls: CallSettings::default(),
        }
    }
}

/// The carrier that the settings choose.
///
/// # Errors
/// If the system has no usable TLS.
pub fn open(settings: CarrierSettings) -> reqwest::Result<Arc<dyn Carrier>> {
    Ok(match settings.kind {
        CarrierKind::Http => Arc::new(HttpCarrier::new(settings)?),
        CarrierKind::Instant => Arc::new(InstantCarrier),
    })
}
