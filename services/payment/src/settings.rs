//! What the payment service is told.

use backstitch_wiring::SnapshotSettings;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::Retries;
use crate::gateway::GatewaySettings;

backstitch_wiring::settings! {
    /// The payment service's settings.
    pub struct Settings {
        /// Who takes the money.
        #[serde(default)]
        gateway: GatewaySettings,
        /// Orders that no saga drives.
        #[serde(default)]
        choreography: ChoreographySettings,
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
    /// Most charges of one order, when the gateway says "not now".
    pub attempts_max: u32,
    /// How long after the first it is asked again, in seconds; each time after twice as long, at most a minute.
    pub retry_after_seconds: u32,
}

impl Default for ChoreographySettings {
    fn default() -> Self {
        Self { enabled: true, attempts_max: 3, retry_after_seconds: 1 }
    }
}

impl ChoreographySettings {
    /// How often the gateway is asked.
    #[must_use]
    pub fn retries(&self) -> Retries {
        let first_after = TimeDelta::seconds(i64::from(self.retry_after_seconds));
        Retries { attempts_max: self.attempts_max, first_after }
    }
}
