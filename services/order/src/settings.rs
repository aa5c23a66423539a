//! What the order service is told: nothing beyond what all services are.

backstitch_wiring::settings! {
    /// The order service's settings.
    pub struct Settings {}
}
