//! What the inventory service is told.

use backstitch_wiring::SnapshotSettings;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

backstitch_wiring::settings! {
    /// The inventory service's settings.
    pub struct Settings {
        /// How long stock is held.
        #[serde(default)]
        reservations: ReservationSettings,
        /// How often states are kept.
        #[serde(default)]
        snapshots: SnapshotSettings,
    }
}

/// `reservations`: how long stock is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReservationSettings {
    /// How long an order that is not confirmed has its claim, in seconds.
    pub hold_seconds: u32,
}

impl Default for ReservationSettings {
    fn default() -> Self {
        Self { hold_seconds: 15 * 60 }
    }
}

impl ReservationSettings {
    /// How long an order that is not confirmed has its claim.
    #[must_use]
    pub fn hold(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.hold_seconds))
    }
}
