//! The payment gateway as this service sees it, and the two ways to it. The trait stands between, so that the domain's
//! calls do not know whether anything is sent.

mod http;
mod instant;

pub use http::HttpGateway;
pub use instant::InstantGateway;

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_external_call::CallSettings;
use serde::{Deserialize, Serialize};

use crate::domain::{Charge, ChargeOutcome, Refund, RefundOutcome};

/// Takes money and gives it back. Both are asked until the outcome is certain, and may be asked again at any time: a key
/// is one charge.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Takes the money, or finds out for certain that it was not taken.
    async fn charge(&self, charge: &Charge) -> ChargeOutcome;

    /// Gives the money back, or finds out for certain that none was taken, and never will be under that key.
    async fn refund(&self, refund: &Refund) -> RefundOutcome;
}

/// Which way to the gateway, where it is, and how patient to be with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Which way.
    pub kind: GatewayKind,
    /// Its address, without a path: `http://127.0.0.1:8090`.
    pub url: String,
    /// How long a charge is asked for before it is made impossible and reported as not made, in seconds. Longer than a
    /// saga's step waits, so that the saga's own patience counts first.
    pub give_up_after_seconds: u64,
    /// Timeouts, delays and limits.
    pub calls: CallSettings,
}

/// Which way to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// Over HTTP.
    #[default]
    Http,
    /// None: commands are answered at once, in the transaction that they came in.
    Instant,
}

impl GatewaySettings {
    /// The gateway that can be done without, if that is the way.
    #[must_use]
    pub fn instant(&self) -> Option<InstantGateway> {
        (self.kind == GatewayKind::Instant).then_some(InstantGateway)
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            kind: GatewayKind::default(),
            url: "http://127.0.0.1:8090".to_owned(),
            give_up_after_seconds: 60,
            calls: CallSettings::default(),
        }
    }
}

/// The gateway that the settings choose.
///
/// # Errors
/// If the system has no usable TLS.
pub fn open(settings: GatewaySettings) -> reqwest::Result<Arc<dyn Gateway>> {
    Ok(match settings.kind {
        GatewayKind::Http => Arc::new(HttpGateway::new(settings)?),
        GatewayKind::Instant => Arc::new(InstantGateway),
    })
}
