//! Metrics of the process in Prometheus' format. Separate from HTTP, which only shows them.

use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::process;

/// From a millisecond to a quarter of an hour: a commit at one end, a saga's deadline at the other.
const SECONDS_BUCKETS: [f64; 18] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];
/// Batch sizes and other counts.
const SIZE_BUCKETS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0];
/// How often the recorder puts away what it has gathered.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The recorder's reading side.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder for the whole process.
    pub(crate) fn install(service: &'static str, version: &'static str) -> anyhow::Result<Self> {
        let handle = builder()?.install_recorder().context("metrics are installed already")?;
        metrics::gauge!("backstitch_build_info", "service" => service, "version" => version).set(1.0);
        process::describe();
        Ok(Self(handle))
    }

    /// A recorder of its own, for tests of what shows metrics.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Self(PrometheusBuilder::new().build_recorder().handle())
    }

    /// What a scrape is answered.
    pub(crate) fn render(&self) -> String {
        process::observe();
        self.0.render()
    }

    /// Keeps the recorder small between scrapes. Runs until the process ends.
    pub(crate) async fn keep_up(self) {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .and_then(|builder| builder.set_buckets(&SIZE_BUCKETS))
        .context("the buckets of the metrics are empty")
}
