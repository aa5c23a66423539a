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
use tracing::Metadata;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterFn, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogFormat, TelemetrySettings};
use crate::logs::JsonLogs;
use crate::tasks::text_of;

/// How long the end of a process waits for its last spans to be taken.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// What the targets of this project's spans begin with.
const OURS: &str = "backstitch";

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
        let filter = logged(filter);
        layers.push(match settings.log_format {
            LogFormat::Json => JsonLogs::new(service, std::io::stdout).with_filter(filter).boxed(),
            LogFormat::Pretty => tracing_subscriber::fmt::layer().with_filter(filter).boxed(),
        });
        tracing_subscriber::registry().with(layers).try_init().context("logs are installed already")?;
        std::panic::set_hook(Box::new(log_panic));
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

/// A panic as a log line like any other; the default hook writes text that no log search finds.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic = text_of(panic.payload()), location, "a panic");
}

/// Only spans of this project: those of HTTP clients would trace the export itself.
fn our_spans() -> Targets {
    Targets::new().with_target(OURS, tracing::Level::DEBUG)
}

/// Events by the setting; our spans always, since a line at any level wants the ids that they carry.
fn logged(filter: Targets) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let spans = our_spans();
    filter_fn(move |metadata| {
        let chosen = |by: &Targets| by.would_enable(metadata.target(), metadata.level());
        chosen(&filter) || (metadata.is_span() && chosen(&spans))
    })
}

/// What the current span's trace is carried on by: the headers `traceparent` and `tracestate`, or none without a trace.
#[must_use]
pub fn current_trace_headers() -> Vec<(String, String)> {
    let mut carrier = HashMap::new();
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.into_iter().filter(|(_, value): &(String, String)| !value.is_empty()).collect()
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
    fn a_quiet_log_still_knows_the_span_an_error_happened_in() {
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::{Layer, Registry};

        struct Scopes(std::sync::mpsc::Sender<Vec<&'static str>>);

        impl Layer<Registry> for Scopes {
            fn on_event(&self, event: &tracing::Event<'_>, context: tracing_subscriber::layer::Context<'_, Registry>) {
                let scope = context.event_scope(event).into_iter().flatten();
                self.0.send(scope.map(|span| span.name()).collect()).unwrap();
            }
        }

        let (seen, scopes) = std::sync::mpsc::channel();
        let layer = Scopes(seen).with_filter(super::logged("error".parse().unwrap()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _ours = tracing::debug_span!(target: "backstitch_processor", "decide").entered();
            let _theirs = tracing::info_span!(target: "hyper", "poll").entered();
            tracing::info!("all is well");
            tracing::error!("a saga is stuck");
        });
        assert_eq!(scopes.into_iter().collect::<Vec<_>>(), [["decide"]]);
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
