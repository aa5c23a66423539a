//! The trace an input goes on with. Separate, because it is the only place that names OpenTelemetry: without an exporter
//! the incoming context travels on unchanged.

use std::collections::HashMap;

use backstitch_contracts::headers::{TRACEPARENT, TRACESTATE};
use backstitch_messaging::TraceContext;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::input::Input;

/// A span for deciding `input`, a child of the trace that it carries.
pub(crate) fn span_of(input: &Input) -> Span {
    let span = match input {
        Input::Message(message) => tracing::debug_span!(
            "decide",
            otel.name = %message.envelope.event_type,
            otel.kind = "consumer",
            topic = %message.topic,
            correlation_id = %message.envelope.correlation_id,
            event_id = %message.envelope.event_id,
        ),
        Input::Timer(timer) => tracing::debug_span!("decide", otel.name = "timer", timer = %timer.id),
        Input::Answered(answered) => {
            tracing::debug_span!("decide", otel.name = %answered.job.kind, job = %answered.job.id)
        }
    };
    if let Some(trace) = input.trace() {
        // Refused only where no OpenTelemetry layer listens; then there is nothing to tie.
        let _ = span.set_parent(extract(trace));
    }
    span
}

/// What the effects of the span carry on: its own context where one is recorded, else what came in.
pub(crate) fn context_of(span: &Span, incoming: Option<&TraceContext>) -> Option<TraceContext> {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return incoming.cloned();
    }
    let mut carrier = HashMap::new();
    opentelemetry_sdk::propagation::TraceContextPropagator::new().inject_context(&context, &mut carrier);
    let traceparent = carrier.remove(TRACEPARENT)?;
    Some(TraceContext { traceparent, tracestate: carrier.remove(TRACESTATE).filter(|state| !state.is_empty()) })
}

fn extract(trace: &TraceContext) -> opentelemetry::Context {
    let mut carrier = HashMap::from([(TRACEPARENT.to_owned(), trace.traceparent.clone())]);
    if let Some(state) = &trace.tracestate {
        carrier.insert(TRACESTATE.to_owned(), state.clone());
    }
    opentelemetry_sdk::propagation::TraceContextPropagator::new().extract(&carrier)
}
