//! The names of the record headers. Separate, because every part of the system writes or reads some of them, and a
//! misspelt header is found by nobody.

/// W3C trace context: trace, parent span, flags.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace context: what tracing systems add.
pub const TRACESTATE: &str = "tracestate";

/// CloudEvents, binary mode: always `1.0`.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// CloudEvents: the envelope's `event_id`.
pub const CE_ID: &str = "ce_id";
/// CloudEvents: the envelope's `event_type`, with its version where that is not 1.
pub const CE_TYPE: &str = "ce_type";
/// CloudEvents: who published it.
pub const CE_SOURCE: &str = "ce_source";
/// CloudEvents: the envelope's `occurred_at`, RFC 3339.
pub const CE_TIME: &str = "ce_time";

/// On commands of a saga: its id.
pub const SAGA_ID: &str = "saga-id";
/// On commands of a saga: the step's name.
pub const SAGA_STEP: &str = "saga-step";
/// On commands of a saga: [`FORWARD`] or [`COMPENSATE`].
pub const SAGA_DIRECTION: &str = "saga-direction";
/// On commands of a saga: which try this is, from 1.
pub const SAGA_TRY: &str = "saga-try";
/// On a compensation: the id of the forward command it undoes.
pub const SAGA_UNDOES: &str = "saga-undoes";
/// On commands of a saga: when the answer stops being waited for, RFC 3339. Advice, not a rule.
pub const SAGA_DEADLINE: &str = "saga-deadline";
/// Value of [`SAGA_DIRECTION`]: the step is to be done.
pub const FORWARD: &str = "forward";
/// Value of [`SAGA_DIRECTION`]: the step is to be undone.
pub const COMPENSATE: &str = "compensate";

/// On dead letters: why, as one word for programs.
pub const DLQ_REASON: &str = "dlq-reason";
/// On dead letters: why, for people.
pub const DLQ_ERROR: &str = "dlq-error";
/// On dead letters: equal for failures of one kind.
pub const DLQ_FINGERPRINT: &str = "dlq-fingerprint";
/// On dead letters: the consumer group that could not deal with it.
pub const DLQ_GROUP: &str = "dlq-group";
/// On dead letters: the topic it came from.
pub const DLQ_TOPIC: &str = "dlq-topic";
/// On dead letters: the partition it came from.
pub const DLQ_PARTITION: &str = "dlq-partition";
/// On dead letters: its offset there.
pub const DLQ_OFFSET: &str = "dlq-offset";
/// On dead letters: when it was set aside, RFC 3339.
pub const DLQ_AT: &str = "dlq-at";
/// On a redriven record: the only group that it is for.
pub const REDRIVE_GROUP: &str = "redrive-group";

/// On a record passed on to its home lane: where it was first published, as `topic/partition/offset`.
pub const FORWARDED_FROM: &str = "forwarded-from";
