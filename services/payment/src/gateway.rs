//! The payment gateway as this service sees it, and the two ways to it. The trait stands between, so that the domain's
//! calls do not know whether anything is sent.

mod http;
mod instant;

pub use http::{GatewaySettings, HttpGateway};
pub use instant::InstantGateway;

use async_trait::async_trait;

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
