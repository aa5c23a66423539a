//! The settings every service has, and what is wrong with them.

use std::time::Duration;

use backstitch_messaging_kafka::KafkaSettings;
use backstitch_messaging_kafka::registry::RegistrySettings;
use backstitch_service_kit::config::{AuthSettings, DatabaseSettings, HttpSettings, Problem};
use backstitch_service_kit::database;
use serde::{Deserialize, Serialize};

/// `processor`: the bounds of the lanes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessorSettings {
    /// Most messages decided and committed at once.
    pub batch_max: usize,
    /// Intake stops while so many committed records of a lane are not yet on the broker.
    pub unpublished_max: usize,
    /// Most external calls under way at once.
    pub calls_max: usize,
    /// How long a lane that is handed over may wait for its records to arrive, milliseconds.
    pub drain_ms: u64,
}

impl Default for ProcessorSettings {
    fn default() -> Self {
        let bounds = backstitch_processor::Settings::default();
        Self {
            batch_max: bounds.batch_max,
            unpublished_max: bounds.unpublished_max,
            calls_max: bounds.calls_max,
            drain_ms: u64::try_from(bounds.drain.as_millis()).unwrap_or(2_000),
        }
    }
}

impl ProcessorSettings {
    pub(crate) fn bounds(&self) -> backstitch_processor::Settings {
        backstitch_processor::Settings {
            batch_max: self.batch_max.max(1),
            unpublished_max: self.unpublished_max.max(1),
            calls_max: self.calls_max.max(1),
            drain: Duration::from_millis(self.drain_ms),
            ..backstitch_processor::Settings::default()
        }
    }
}

/// `snapshots`: how often a participant's states are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnapshotSettings {
    /// Events of a stream between two snapshots of its state; 0: none is taken, and none is used.
    pub every: u64,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self { every: 100 }
    }
}

/// The sections that every service has. Implemented by [`settings!`](crate::settings).
pub trait Shared: Send + Sync + 'static {
    /// The cluster.
    fn kafka(&self) -> &KafkaSettings;
    /// The schema registry.
    fn registry(&self) -> &RegistrySettings;
    /// The service's own database.
    fn database(&self) -> &DatabaseSettings;
    /// The bounds of its lanes.
    fn processor(&self) -> &ProcessorSettings;
    /// Where it answers.
    fn http(&self) -> &HttpSettings;
    /// Who may call.
    fn auth(&self) -> &AuthSettings;

    /// Everything wrong with the shared sections.
    fn shared_problems(&self) -> Vec<Problem> {
        let kafka = self.kafka().problems().into_iter().map(|what| Problem::new("kafka", what));
        let mut problems: Vec<Problem> = kafka.collect();
        problems.extend(database::problems("database", self.database()));
        problems.extend(self.auth().problems());
        problems
    }
}

/// Declares a service's settings: the shared sections, then its own, each `#[serde(deny_unknown_fields)]`.
///
/// What is wrong with its own sections is told by the function after `checked_by`, if there is one.
///
/// A macro, because `serde(flatten)` loses unknown fields and the paths of errors.
#[macro_export]
macro_rules! settings {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$own_meta:meta])* $own:ident : $own_type:ty,)* } $(checked_by $check:path)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, ::serde::Deserialize, ::serde::Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The Kafka cluster.
            pub kafka: $crate::sections::KafkaSettings,
            /// The schema registry.
            pub registry: $crate::sections::RegistrySettings,
            /// The service's own database.
            pub database: $crate::sections::DatabaseSettings,
            /// Where it answers.
            #[serde(default)]
            pub http: $crate::sections::HttpSettings,
            /// Who may call.
            #[serde(default)]
            pub auth: $crate::sections::AuthSettings,
            /// What it says about itself.
            #[serde(default)]
            pub telemetry: $crate::sections::TelemetrySettings,
            /// How it ends.
            #[serde(default)]
            pub process: $crate::sections::ProcessSettings,
            /// The bounds of its lanes.
            #[serde(default)]
            pub processor: $crate::ProcessorSettings,
            $($(#[$own_meta])* pub $own: $own_type,)*
        }

        impl $crate::sections::Config for $name {
            fn process(&self) -> &$crate::sections::ProcessSettings { &self.process }
            fn telemetry(&self) -> &$crate::sections::TelemetrySettings { &self.telemetry }
            fn problems(&self) -> Vec<$crate::sections::Problem> {
                let problems = $crate::Shared::shared_problems(self);
                $(let problems = problems.into_iter().chain($check(self)).collect();)?
                problems
            }
        }

        impl $crate::Shared for $name {
            fn kafka(&self) -> &$crate::sections::KafkaSettings { &self.kafka }
            fn registry(&self) -> &$crate::sections::RegistrySettings { &self.registry }
            fn database(&self) -> &$crate::sections::DatabaseSettings { &self.database }
            fn processor(&self) -> &$crate::ProcessorSettings { &self.processor }
            fn http(&self) -> &$crate::sections::HttpSettings { &self.http }
            fn auth(&self) -> &$crate::sections::AuthSettings { &self.auth }
        }
    };
}
