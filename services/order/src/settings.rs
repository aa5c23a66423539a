//! What the order service is told.

use backstitch_service_kit::database;
use backstitch_wiring::sections::{DatabaseSettings, Problem};
use serde::{Deserialize, Serialize};

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
    }
    checked_by read_problems
}

fn read_problems(settings: &Settings) -> Vec<Problem> {
    database::problems("read_database", &settings.read_database)
}
