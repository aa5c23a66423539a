//! Appends as parts of a lane's statement. Separate, because it is where the event store's texts and the processor's
//! statement meet: neither knows the other.

use std::collections::BTreeMap;

use backstitch_event_store::{NewEvent, StreamId, StreamVersion};
use backstitch_event_store_postgres::{EventColumns, HeadColumns, append_sql};
use backstitch_processor::{CONFLICT, Statement};

use crate::Writers;

/// Adds events to the statement, each with the version it is to have; a stream's versions follow one another. A stream
/// that is not where this takes it to be fails the statement as a conflict.
pub fn add_append(statement: &mut Statement, events: Vec<(StreamId, StreamVersion, NewEvent)>, writers: Writers) {
    if events.is_empty() {
        return;
    }
    let (new, moved) = heads_of(&events);
    if !new.is_empty() {
        let rows = new.len();
        statement.part("new_heads", append_sql::NEW_HEADS).bind(new.ids).bind(new.versions).expect(rows, CONFLICT);
    }
    if !moved.is_empty() {
        let rows = moved.len();
        statement
            .part("moved_heads", append_sql::MOVED_HEADS)
            .bind(moved.ids)
            .bind(moved.versions)
            .bind(moved.expected)
            .expect(rows, CONFLICT);
    }
    let mut columns = EventColumns::default();
    for (stream, version, event) in events {
        columns.push(&stream, version, event);
    }
    let text = match writers {
        Writers::InTurn => append_sql::EVENTS_IN_TURN,
        Writers::AtOnce => append_sql::EVENTS,
    };
    statement
        .part("events", text)
        .bind(columns.streams)
        .bind(columns.versions)
        .bind(columns.event_ids)
        .bind(columns.event_types)
        .bind(columns.event_versions)
        .bind(columns.aggregate_types)
        .bind(columns.occurred_at)
        .bind(columns.correlation_ids)
        .bind(columns.causation_ids)
        .bind(columns.user_ids)
        .bind(columns.data)
        .bind(columns.metadata);
}

// Each stream once: a common table expression must not touch a row twice.
fn heads_of(events: &[(StreamId, StreamVersion, NewEvent)]) -> (HeadColumns, HeadColumns) {
    let mut ends: BTreeMap<&StreamId, (StreamVersion, StreamVersion)> = BTreeMap::new();
    for (stream, version, _) in events {
        let (first, last) = ends.entry(stream).or_insert((*version, *version));
        (*first, *last) = ((*first).min(*version), (*last).max(*version));
    }
    let (mut new, mut moved) = (HeadColumns::default(), HeadColumns::default());
    for (stream, (first, last)) in ends {
        let before = StreamVersion(first.0.saturating_sub(1));
        let columns = if before == StreamVersion::NONE { &mut new } else { &mut moved };
        columns.push(stream, before, last);
    }
    (new, moved)
}
