//! The carrier as this service sees it, and the two ways to it. The trait stands between, so that the domain's calls do
//! not know whether anything is sent.

mod http;
mod instant;

pub use http::{CarrierSettings, HttpCarrier};
pub use instant::InstantCarrier;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

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
