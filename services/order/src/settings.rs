//! What the order service is told.

use backstitch_contracts::orders::Flow;
use backstitch_service_kit::database;
use backstitch_wiring::SnapshotSettings;
use backstitch_wiring::sections::{DatabaseSettings, Problem};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::Patience;

/// `projections`: who builds the read models.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectionsSettings {
    /// Whether this process does. Without, it answers from what others build.
    pub run: bool,
}

impl Default for ProjectionsSettings {
    fn default() -> Self {
        Self { run: true }
    }
}

backstitch_wiring::settings! {
    /// The order service's settings.
    pub struct Settings {
        /// The read models' database: another than that of the events.
        read_database: DatabaseSettings,
        /// Who builds the read models.
        #[serde(default)]
        projections: ProjectionsSettings,
        /// Orders that no saga drives.
        #[serde(default)]
        choreography: ChoreographySettings,
        /// Where the read models' events come from.
        #[serde(default)]
        read: ReadSettings,
        /// How often states are kept.
        #[serde(default)]
        snapshots: SnapshotSettings,
    }
    checked_by read_problems
}

/// `choreography`: which orders no saga drives, and how long these wait for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChoreographySettings {
    /// Whether an order may be placed that no saga drives. Off here, in payment and in shipping, these hear only what
    /// sagas need, which is less work for everybody. Not to be turned off while such orders are open.
    pub enabled: bool,
    /// Who drives an order that is placed over HTTP and does not say: `orchestrated` or `choreographed`.
    pub flow: Flow,
    /// How long inventory may take to reserve, in seconds.
    pub inventory_timeout_seconds: u32,
    /// How long payment may take, all tries together, in seconds.
    pub payment_timeout_seconds: u32,
    /// How long shipping may take to hand it to a carrier, in seconds.
    pub shipping_timeout_seconds: u32,
}

impl Default for ChoreographySettings {
    fn default() -> Self {
        let Patience { inventory, payment, shipping } = Patience::default();
        let seconds = |wait: TimeDelta| u32::try_from(wait.num_seconds()).unwrap_or(u32::MAX);
        Self {
            enabled: true,
            flow: Flow::default(),
            inventory_timeout_seconds: seconds(inventory),
            payment_timeout_seconds: seconds(payment),
            shipping_timeout_seconds: seconds(shipping),
        }
    }
}

impl ChoreographySettings {
    /// How long an order waits for whom.
    #[must_use]
    pub fn patience(&self) -> Patience {
        let wait = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
        Patience {
            inventory: wait(self.inventory_timeout_seconds),
            payment: wait(self.payment_timeout_seconds),
            shipping: wait(self.shipping_timeout_seconds),
        }
    }
}

/// `read`: where the read models' events come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadSettings {
    /// Where orders' own events are read. Those of other services always come from their topics.
    pub source: ReadSource,
}

/// Where orders' own events are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadSource {
    /// From `orders.events`, as any other service would.
    #[default]
    Topic,
    /// From the service's own database, where they are stored.
    Store,
}

fn read_problems(settings: &Settings) -> Vec<Problem> {
    let mut problems = database::problems("read_database", &settings.read_database);
    let ChoreographySettings { enabled, flow, .. } = settings.choreography;
    if !enabled && flow == Flow::Choreographed {
        problems.push(Problem::new("choreography.flow", "is `choreographed`, but `choreography.enabled` is off"));
    }
    problems
}
