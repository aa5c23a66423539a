//! Logs as one JSON object a line, with the fields of all spans around an event beside its own: `saga_id` is found
//! where a search looks for it. Ours, because the stock formatter nests span fields in a list.

use std::fmt::Debug;
use std::io::Write;

use opentelemetry::trace::{TraceContextExt, TraceId};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes every event as a JSON object.
pub(crate) struct JsonLogs<W> {
    service: &'static str,
    writer: W,
}

/// A span's fields, kept with the span.
struct SpanFields(Map<String, Value>);

impl<W> JsonLogs<W> {
    pub(crate) fn new(service: &'static str, writer: W) -> Self {
        Self { service, writer }
    }
}

impl<S, W> Layer<S> for JsonLogs<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Map::new();
            attributes.record(&mut Collect(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Collect(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(of_span)) = span.extensions().get() {
                fields.extend(of_span.clone());
            }
        }
        event.record(&mut Collect(&mut fields));
        let trace = opentelemetry::Context::current().span().span_context().trace_id();
        let line = Line {
            timestamp: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            level: metadata.level().as_str().to_lowercase(),
            service: self.service,
            target: metadata.target(),
            message: fields.remove("message").unwrap_or_default(),
            fields,
            trace_id: (trace != TraceId::INVALID).then(|| trace.to_string()),
        };
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            // One write, so that lines of two threads do not mix; a closed pipe is no reason to fall.
            let _ = self.writer.make_writer_for(metadata).write_all(&text);
        }
    }
}

/// A line, in the order in which people read it.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: String,
    service: &'static str,
    target: &'a str,
    message: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// Collects fields as JSON.
struct Collect<'a>(&'a mut Map<String, Value>);

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            // Fields that other layers mean for themselves.
            name if name.starts_with("otel.") => return,
            // A key may stand in a line once, and these have their own meaning.
            name @ ("timestamp" | "level" | "service" | "target" | "trace_id") => format!("field.{name}"),
            name => name.to_owned(),
        };
        self.0.insert(name, value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::JsonLogs;

    #[test]
    fn a_line_carries_the_ids_of_the_spans_around_it() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let subscriber =
            tracing_subscriber::registry().with(JsonLogs::new("orchestrator", Arc::clone(&written).into_writer()));
        tracing::subscriber::with_default(subscriber, || {
            let outer = tracing::info_span!("batch", lane = 3, correlation_id = tracing::field::Empty);
            outer.record("correlation_id", "c-1");
            let _outer = outer.enter();
            let _inner = tracing::info_span!("saga", saga_id = "s-1").entered();
            tracing::error!(step = "reserve-inventory", service = "not ours to say", "stuck");
        });
        let written = written.lock().unwrap();
        assert!(written.starts_with(br#"{"timestamp":""#), "{}", String::from_utf8_lossy(&written));
        let line: Value = serde_json::from_slice(&written).unwrap();
        for (field, value) in [
            ("service", json!("orchestrator")),
            ("level", json!("error")),
            ("message", json!("stuck")),
            ("lane", json!(3)),
            ("correlation_id", json!("c-1")),
            ("saga_id", json!("s-1")),
            ("step", json!("reserve-inventory")),
            ("field.service", json!("not ours to say")),
        ] {
            assert_eq!(line[field], value, "{field} in {line}");
        }
    }

    trait IntoWriter {
        fn into_writer(self) -> impl Fn() -> Shared + 'static;
    }

    impl IntoWriter for Arc<Mutex<Vec<u8>>> {
        fn into_writer(self) -> impl Fn() -> Shared + 'static {
            move || Shared(Arc::clone(&self))
        }
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
