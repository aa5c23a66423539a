//! What the order service is told.

use backstitch_service_kit::database;
use backstitch_wiring::sections::{DatabaseSettings, Problem};

backstitch_wiring::settings! {
    /// The order service's settings.
    pub struct Settings {
        /// The read models' database: another than that of the events.
        read_database: DatabaseSettings,
    }
    checked_by read_problems
}

fn read_problems(settings: &Settings) -> Vec<Problem> {
    database::problems("read_database", &settings.read_database)
}
