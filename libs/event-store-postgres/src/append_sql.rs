//! The texts of an append, as parts of one data-modifying statement. Separate, because a lane puts them into a statement
//! of its own while [`crate::PostgresStore`] has its appends written by the database's own function.
//!
//! No part writes the table of ids. What a lane appends cannot come twice: its statement is fenced, each stream must be at
//! its version, and ids are derived from what caused them. Ids are for whoever appends through the store, and may have to
//! ask again.
//!
//! Each part's arguments are arrays, in the order of [`crate::HeadColumns`] and [`crate::EventColumns`]. A part for heads
//! answers one row for each head that was where it was expected: fewer rows than heads are a conflict.

/// Heads of streams that have no events yet. `$1` ids, `$2` new versions.
///
/// A head at version 0 counts as absent; one that another writer has just inserted is waited for, then not touched.
pub const NEW_HEADS: &str = "INSERT INTO store.streams (id, version, transaction_id)
    SELECT n.id, n.version, t.now
    FROM (SELECT (generation << 44) + pg_current_xact_id()::text::bigint AS now FROM store.settings) AS t,
         unnest($1::text[], $2::bigint[]) AS n (id, version)
    ORDER BY n.id COLLATE \"C\"
    ON CONFLICT (id) DO UPDATE SET version = excluded.version,
                                   transaction_id = greatest(store.streams.transaction_id, excluded.transaction_id)
    WHERE store.streams.version = 0
    RETURNING 1";

/// Heads of streams that have events. `$1` ids, `$2` new versions, `$3` expected versions.
pub const MOVED_HEADS: &str = "UPDATE store.streams AS s
    SET version = n.version, transaction_id = greatest(s.transaction_id, t.now)
    FROM (SELECT (generation << 44) + pg_current_xact_id()::text::bigint AS now FROM store.settings) AS t,
         unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (id, version, expected)
    WHERE s.id = n.id AND s.version = n.expected
    RETURNING 1";

/// `$after` is what an event's place in the global order must not be below, besides this transaction's own id.
macro_rules! events {
    ($after:literal) => {
        concat!(
            "INSERT INTO store.events
        (transaction_id, stream_id, version, event_id, event_type, event_version, aggregate_type, occurred_at,
         correlation_id, causation_id, user_id, data, metadata)
    SELECT ",
            $after,
            ",
           e.stream_id, e.version, e.event_id, e.event_type, e.event_version, e.aggregate_type, e.occurred_at,
           e.correlation_id, e.causation_id, e.user_id, e.data, e.metadata
    FROM (SELECT (generation << 44) + pg_current_xact_id()::text::bigint AS now FROM store.settings) AS t,
         unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::timestamptz[],
                $8::uuid[], $9::uuid[], $10::text[], $11::jsonb[], $12::jsonb[]) WITH ORDINALITY
         AS e (stream_id, version, event_id, event_type, event_version, aggregate_type, occurred_at, correlation_id,
               causation_id, user_id, data, metadata, nth)
    ORDER BY e.nth"
        )
    };
}

/// The events. Arguments as in [`crate::EventColumns`]; positions follow the order of the arrays. An event comes after its
/// stream's newest in the global order, even where this transaction took its id first and then waited for the stream's
/// head.
pub const EVENTS: &str =
    events!("greatest(t.now, (SELECT s.transaction_id FROM store.streams AS s WHERE s.id = e.stream_id))");

/// The same for streams whose writers never overlap, so that each takes its id after the one before has committed: the
/// heads need not be looked at.
pub const EVENTS_IN_TURN: &str = events!("t.now");
