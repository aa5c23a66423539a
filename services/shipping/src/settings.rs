//! What the shipping service is told.

use backstitch_wiring::SnapshotSettings;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::carrier::CarrierSettings;

backstitch_wiring::settings! {
    /// The shipping service's settings.
    pub struct Settings {
        /// Who takes the parcels.
        #[serde(default)]
        carrier: CarrierSettings,
        /// Orders that no saga drives.
        #[serde(default)]
        choreography: ChoreographySettings,
        /// Whether the carrier is asked for deliveries.
        #[serde(default)]
        deliveries: DeliverySettings,
        /// How often states are kept.
        #[serde(default)]
        snapshots: SnapshotSettings,
    }
}

/// `choreography`: what a saga would see to otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChoreographySettings {
    /// Whether events of such orders are heard. Not to be turned off while such orders are open.
    pub enabled: bool,
}

impl Default for ChoreographySettings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `deliveries`: whether the carrier is asked for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// How long after shipping the carrier is asked whether the parcel arrived, in seconds; then each time after twice as
    /// long, at most a day. Absent: it is never asked.
    pub ask_after_seconds: Option<u32>,
}

impl DeliverySettings {
    /// How long after shipping the carrier is first asked, if ever.
    #[must_use]
    pub fn ask_after(&self) -> Option<TimeDelta> {
        self.ask_after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)))
    }
}
