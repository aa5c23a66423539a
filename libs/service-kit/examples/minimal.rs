//! The smallest service: one section of its own, one task, one route. An example, and what `tests/process.rs` starts.

use std::process::ExitCode;

use backstitch_service_kit::Service;
use backstitch_service_kit::config::{
    AuthSettings, Config, HttpSettings, Problem, ProcessSettings, TelemetrySettings, redact,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    gateway: Gateway,
    #[serde(default)]
    http: HttpSettings,
    #[serde(default)]
    auth: AuthSettings,
    #[serde(default)]
    process: ProcessSettings,
    #[serde(default)]
    telemetry: TelemetrySettings,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    url: String,
    #[serde(serialize_with = "redact")]
    password: SecretString,
    #[serde(default)]
    fails: bool,
    #[serde(default)]
    panics: bool,
}

impl Config for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    fn problems(&self) -> Vec<Problem> {
        self.auth.problems()
    }
}

fn main() -> ExitCode {
    Service::<Settings>::new("minimal", env!("CARGO_PKG_VERSION"))
        .migrate(|config| async move {
            println!("migrating what {} needs", config.gateway.url);
            Ok(())
        })
        .run(|context| async move {
            context.serve(&context.config.http, &context.config.auth, axum::Router::new()).await?;
            let Gateway { fails, panics, .. } = context.config.gateway;
            let shutdown = context.shutdown.clone();
            context.tasks.spawn("heartbeat", async move {
                anyhow::ensure!(!fails, "the gateway is gone");
                assert!(!panics, "the gateway confuses us");
                shutdown.cancelled().await;
                println!("the last beat");
                Ok(())
            });
            Ok(())
        })
}
