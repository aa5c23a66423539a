//! The names of the record headers. Separate, because every part of the system writes or reads some of them, and a
//! misspelt header is found by nobody.

/// Names this module's headers, and a function that finds them.
macro_rules! headers {
    ($($(#[$about:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$about])* pub const $name: &str = $text;)*

        /// The same name as one of this module's, if it is one: so whoever reads a record need not copy it.
        #[must_use]
        pub fn known(name: &str) -> Option<&'static str> {
            match name {
                $($text => Some($name),)*
                _ => None,
            }
        }
    };
}

headers! {
    /// W3C trace context: trace, parent span, flags.
    TRACEPARENT = "traceparent";
    /// W3C trace context: what tracing systems add.
    TRACESTATE = "tracestate";

    /// CloudEvents, binary mode: always `1.0`.
    CE_SPECVERSION = "ce_specversion";
    /// CloudEvents: the envelope's `event_id`.
    CE_ID = "ce_id";
    /// CloudEvents: the envelope's `event_type`, with its version where that is not 1.
    CE_TYPE = "ce_type";
    /// CloudEvents: who published it.
    CE_SOURCE = "ce_source";
    /// CloudEvents: the envelope's `occurred_at`, RFC 3339.
    CE_TIME = "ce_time";

    /// On commands of a saga: its id.
    SAGA_ID = "saga-id";
    /// On commands of a saga: the step's name.
    SAGA_STEP = "saga-step";
    /// On commands of a saga: [`FORWARD`] or [`COMPENSATE`].
    SAGA_DIRECTION = "saga-direction";
    /// On commands of a saga: which try this is, from 1.
    SAGA_TRY = "saga-try";
    /// On a compensation: the id of the forward command it undoes.
    SAGA_UNDOES = "saga-undoes";
    /// On commands of a saga: when the answer stops being waited for, RFC 3339. Advice, not a rule.
    SAGA_DEADLINE = "saga-deadline";

    /// On dead letters: why, as one word for programs.
    DLQ_REASON = "dlq-reason";
    /// On dead letters: why, for people.
    DLQ_ERROR = "dlq-error";
    /// On dead letters: equal for failures of one kind.
    DLQ_FINGERPRINT = "dlq-fingerprint";
    /// On dead letters: the consumer group that could not deal with it.
    DLQ_GROUP = "dlq-group";
    /// On dead letters: the topic it came from.
    DLQ_TOPIC = "dlq-topic";
    /// On dead letters: the partition it came from.
    DLQ_PARTITION = "dlq-partition";
    /// On dead letters: its offset there.
    DLQ_OFFSET = "dlq-offset";
    /// On dead letters: when it was set aside, RFC 3339.
    DLQ_AT = "dlq-at";
    /// On a redriven record: the only group that it is for.
    REDRIVE_GROUP = "redrive-group";

    /// On a record passed on to its home lane: where it was first published, as `topic/partition/offset`.
    FORWARDED_FROM = "forwarded-from";
}

/// Value of [`SAGA_DIRECTION`]: the step is to be done.
pub const FORWARD: &str = "forward";
/// Value of [`SAGA_DIRECTION`]: the step is to be undone.
pub const COMPENSATE: &str = "compensate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ours_is_known_and_another_is_not() {
        assert_eq!((known("saga-id"), known("forwarded-from")), (Some(SAGA_ID), Some(FORWARDED_FROM)));
        assert_eq!((known("Saga-Id"), known(FORWARD), known("")), (None, None, None));
    }
}
