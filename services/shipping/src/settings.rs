//! What the shipping service is told.

use crate::carrier::CarrierSettings;

backstitch_wiring::settings! {
    /// The shipping service's settings.
    pub struct Settings {
        /// Who takes the parcels.
        #[serde(default)]
        carrier: CarrierSettings,
    }
}
