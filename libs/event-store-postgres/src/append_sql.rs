//! The texts of an append, as parts of one data-modifying statement. Separate, because a lane puts them into a statement
//! of its own while [`crate::PostgresStore`] runs them by themselves.
//!
//! Each part's arguments are arrays, in the order of [`crate::HeadColumns`] and [`crate::EventColumns`]. A part for heads
//! answers one row for each head that was where it was expected: fewer rows than heads are a conflict.

/// Heads of streams that have no events yet. `$1` ids, `$2` new versions.
///
/// A head at version 0 counts as absent; one that another writer has just inserted is waited for, then not touched.
pub const NEW_HEADS: &str = "INSERT INTO store.streams (id, version)
    SELECT n.id, n.version FROM unnest($1::text[], $2::bigint[]) AS n (id, version) ORDER BY n.id COLLATE \"C\"
    ON CONFLICT (id) DO UPDATE SET version = excluded.version WHERE store.streams.version = 0
    RETURNING 1";

/// Heads of streams that have events. `$1` ids, `$2` new versions, `$3` expected versions.
pub const MOVED_HEADS: &str = "UPDATE store.streams AS s SET version = n.version
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (id, version, expected)
    WHERE s.id = n.id AND s.version = n.expected
    RETURNING 1";

/// The events. Arguments as in [`crate::EventColumns`]; positions follow the order of the arrays.
pub const EVENTS: &str = "INSERT INTO store.events
        (stream_id, version, event_id, event_type, event_version, aggregate_type, occurred_at, correlation_id,
         causation_id, user_id, data, metadata)
    SELECT e.stream_id, e.version, e.event_id, e.event_type, e.event_version, e.aggregate_type, e.occurred_at,
           e.correlation_id, e.causation_id, e.user_id, e.data, e.metadata
    FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::timestamptz[],
                $8::uuid[], $9::uuid[], $10::text[], $11::jsonb[], $12::jsonb[]) WITH ORDINALITY
         AS e (stream_id, version, event_id, event_type, event_version, aggregate_type, occurred_at, correlation_id,
               causation_id, user_id, data, metadata, nth)
    ORDER BY e.nth";
