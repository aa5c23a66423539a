//! Logs and traces: where they go. What is in them is said where it happens.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use secrecy::ExposeSecret;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogFormat, TelemetrySettings};
use crate::logs::JsonLogs;

/// How long the end of a process waits for its last spans to be taken.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// What must be flushed before the process ends.
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Installs logs for the whole process, and traces where a collector is configured.
    pub(crate) fn start(
        settings: &TelemetrySettings,
        service: &'static str,
        version: &'static str,
    ) -> anyhow::Result<Self> {
        // Also without a collector of our own: others' trace contexts are passed on.
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let provider = match &settings.otlp_endpoint {
            Some(endpoint) => Some(provider(settings, endpoint, service, version)?),
            None => None,
        };
        let filter: Targets = settings.log.parse().context("`telemetry.log` is no filter")?;
        let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
        if let Some(provider) = &provider {
            let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("backstitch")).with_location(false);
            layers.push(traces.with_filter(our_spans()).boxed());
        }
        layers.push(match settings.log_format {
            LogFormat::Json => JsonLogs::new(service, std::io::stdout).with_filter(filter).boxed(),
            LogFormat::Pretty => tracing_subscriber::fmt::layer().with_filter(filter).boxed(),
        });
        tracing_subscriber::registry().with(layers).try_init().context("logs are installed already")?;
        Ok(Self { provider })
    }

    /// Sends what spans there are, waiting a little.
    pub(crate) fn flush(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans may be lost");
        }
    }
}

/// Only spans of this project: those of HTTP clients would trace the export itself.
fn our_spans() -> Targets {
    ["backstitch", "sagactl"]
        .into_iter()
        .fold(Targets::new(), |targets, ours| targets.with_target(ours, tracing::Level::INFO))
}

fn provider(
    settings: &TelemetrySettings,
    endpoint: &str,
    service: &'static str,
    version: &'static str,
) -> anyhow::Result<SdkTracerProvider> {
    let headers = settings.otlp_header.as_ref().and_then(|header| {
        let (name, value) = header.expose_secret().split_once(':')?;
        Some(HashMap::from([(name.trim().to_owned(), value.trim().to_owned())]))
    });
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(traces_url(endpoint))
        .with_headers(headers.unwrap_or_default())
        .build()
        .context("traces cannot be exported")?;
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", version))
        .with_attribute(KeyValue::new("service.namespace", "backstitch"))
        .build();
    // The parent decides where there is one, so that a trace is whole or absent.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_sample_ratio)));
    let provider = SdkTracerProvider::builder();
    Ok(provider.with_batch_exporter(exporter).with_sampler(sampler).with_resource(resource).build())
}

/// The collector's base URL leads to its traces, as `OTEL_EXPORTER_OTLP_ENDPOINT` does elsewhere.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use opentelemetry::trace::{Tracer, TracerProvider as _};

    use super::{provider, traces_url};
    use crate::config::TelemetrySettings;

    #[test]
    fn a_base_url_and_a_full_url_lead_to_the_same_place() {
        for endpoint in ["http://jaeger:4318", "http://jaeger:4318/", "http://jaeger:4318/v1/traces"] {
            assert_eq!(traces_url(endpoint), "http://jaeger:4318/v1/traces");
        }
    }

    /// A fake collector: takes one request and shows it.
    fn collector() -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let request = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = vec![0; 64 * 1024];
            let length = stream.read(&mut bytes).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        });
        (url, request)
    }

    #[test]
    fn the_last_spans_are_sent_before_the_process_ends() {
        let (url, request) = collector();
        let settings = TelemetrySettings { otlp_header: Some("x-tenant: us".to_owned().into()), ..Default::default() };
        let provider = provider(&settings, &url, "order", "0.1.0").unwrap();
        drop(provider.tracer("test").start("ship-order"));
        super::Telemetry { provider: Some(provider) }.flush();
        let request = request.join().unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
        assert!(request.contains("x-tenant: us"), "{request}");
    }
}
