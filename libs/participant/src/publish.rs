//! From a stored event to a record on the service's topic. Separate, because a repeated answer must come out the same.

use std::collections::BTreeMap;

use backstitch_contracts::{Envelope, STREAM_VERSION, headers, member_name};
use backstitch_event_store::{NewEvent, StreamId, StreamVersion};
use backstitch_messaging::Record;
use backstitch_processor::Rejection;
use chrono::SecondsFormat;

use crate::Settings;
use crate::note::Marks;

/// In the envelope's metadata: who published it.
const SOURCE: &str = "source";
/// In the envelope's metadata: which try of the command it answers.
const TRY: &str = "try";

/// The event as others see it; it has this version in the stream.
pub(crate) fn envelope_of(
    stream: &StreamId,
    version: StreamVersion,
    event: &NewEvent,
    marks: Option<&Marks>,
) -> Envelope {
    let mut metadata = BTreeMap::from([(STREAM_VERSION.to_owned(), version.to_string())]);
    if let Some(marks) = marks {
        metadata.extend(marks.metadata.clone());
        metadata.insert(SOURCE.to_owned(), marks.source.clone());
        if let Some(command) = &marks.command {
            metadata.insert(TRY.to_owned(), command.attempt.to_string());
        }
    }
    Envelope {
        event_id: event.event_id,
        event_type: event.event_type.clone(),
        event_version: event.event_version,
        aggregate_id: stream.key().to_owned(),
        aggregate_type: event.aggregate_type.clone(),
        occurred_at: event.occurred_at,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        user_id: event.user_id.clone(),
        metadata,
        data: event.data.clone(),
    }
}

/// The envelope as a record, keyed by the flow.
pub(crate) fn record_of(envelope: &Envelope, settings: &Settings) -> Result<Record, Rejection> {
    let value = settings.encoder.encode(envelope).map_err(|error| Rejection {
        reason: "unencodable",
        detail: format!("the event `{}` does not fit its schema: {error}", envelope.event_type),
    })?;
    Ok(Record::new(&settings.events_topic, &envelope.aggregate_id, value)
        .header(headers::CE_SPECVERSION, "1.0")
        .header(headers::CE_ID, envelope.event_id.to_string())
        .header(headers::CE_TYPE, member_name(&envelope.event_type, envelope.event_version))
        .header(headers::CE_SOURCE, &settings.source)
        .header(headers::CE_TIME, envelope.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)))
}
