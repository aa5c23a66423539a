//! What the payment service is told.

use crate::gateway::GatewaySettings;

backstitch_wiring::settings! {
    /// The payment service's settings.
    pub struct Settings {
        /// Who takes the money.
        #[serde(default)]
        gateway: GatewaySettings,
    }
}
