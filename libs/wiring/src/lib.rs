//! Introduces the crates of the row below to each other, once for all five services: settings in, a running processor
//! out. Separate from each `main.rs`, which only says what is its own. No domain word belongs here.

mod event_store;
mod projections;
mod settings;
mod wires;

pub use settings::{ProcessorSettings, Shared, SnapshotSettings};
pub use wires::Wires;

/// The types that [`settings!`] is made of.
pub mod sections {
    pub use backstitch_messaging_kafka::KafkaSettings;
    pub use backstitch_messaging_kafka::registry::RegistrySettings;
    pub use backstitch_service_kit::config::{
        AuthSettings, Config, DatabaseSettings, HttpSettings, Problem, ProcessSettings, TelemetrySettings,
    };
}
