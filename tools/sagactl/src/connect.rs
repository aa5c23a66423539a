//! How Kafka and the registry are reached: by two addresses, or by the same sections a service has. Separate, so that TLS
//! and passwords are spelled once for all programs.

use anyhow::Context;
use backstitch_messaging_kafka::KafkaSettings;
use backstitch_messaging_kafka::registry::RegistrySettings;
use backstitch_service_kit::config::{self, Config, Environment, ProcessSettings, TelemetrySettings};
use serde::{Deserialize, Serialize};

use crate::cli::Cli;
use crate::exit::{Code, coded};

/// The sections we read; a service's file has more.
#[derive(Debug, Deserialize, Serialize)]
struct Settings {
    kafka: Option<KafkaSettings>,
    registry: Option<RegistrySettings>,
    #[serde(skip)]
    process: ProcessSettings,
    #[serde(skip)]
    telemetry: TelemetrySettings,
}

impl Config for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }
}

/// How Kafka is reached.
///
/// # Errors
/// If nothing says so, or the settings are wrong.
pub(crate) fn kafka(cli: &Cli) -> anyhow::Result<KafkaSettings> {
    let settings = settings(cli)?.kafka;
    let mut kafka =
        settings.ok_or_else(|| coded(Code::Usage, "say where Kafka is: --kafka HOST:PORT or KAFKA_BOOTSTRAP"))?;
    let problems = kafka.problems();
    if !problems.is_empty() {
        return Err(coded(Code::Usage, problems.join("; ")));
    }
    kafka.client_id = "sagactl".to_owned();
    Ok(kafka)
}

/// How the registry is reached.
///
/// # Errors
/// If nothing says so, or the settings are wrong.
pub(crate) fn registry(cli: &Cli) -> anyhow::Result<RegistrySettings> {
    let settings = settings(cli)?.registry;
    settings
        .ok_or_else(|| coded(Code::Usage, "say where the schema registry is: --registry URL or SCHEMA_REGISTRY_URL"))
}

fn settings(cli: &Cli) -> anyhow::Result<Settings> {
    let file = match &cli.config {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("the settings file `{}` cannot be read", path.display()))
                .map_err(|error| coded(Code::Usage, format!("{error:#}")))?,
        ),
        None => None,
    };
    // The two addresses are only another spelling of two settings.
    let given = [("kafka.bootstrap", &cli.kafka), ("registry.url", &cli.registry)];
    let given = given.into_iter().filter_map(|(path, value)| Some((Environment::variable(path), value.clone()?)));
    // Of the process's own variables only these sections: a service's others are no typos here.
    let ours = [Environment::variable("kafka."), Environment::variable("registry.")];
    let process = std::env::vars().filter(|(name, _)| ours.iter().any(|section| name.starts_with(section)));
    let environment = Environment::from_variables(process.chain(given));
    config::load(file.as_deref(), &environment).map_err(|problems| coded(Code::Usage, problems.to_string()))
}
