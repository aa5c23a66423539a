-- The event store, in a schema of its own beside the tables of the service.
CREATE SCHEMA store;

-- One head a stream: what makes versions unique, and the row that is locked. Kept apart from the events, so that those
-- can be partitioned by position one day. Half-empty pages keep the updates HOT: nothing updated is indexed.
-- A head at version 0 is a stream without events: it was locked before its first event.
CREATE TABLE store.streams (
    id      text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 0)
) WITH (fillfactor = 50);

CREATE TABLE store.events (
    position       bigint GENERATED ALWAYS AS IDENTITY,
    stream_id      text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    event_id       uuid NOT NULL,
    event_type     text NOT NULL,
    event_version  integer NOT NULL,
    aggregate_type text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid,
    user_id        text,
    data           jsonb NOT NULL,
    metadata       jsonb NOT NULL,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Loading a stream.
    PRIMARY KEY (stream_id, version),
    -- An event is stored once: the last line of defence of everything that may be written twice.
    CONSTRAINT events_event_id_key UNIQUE (event_id)
);

-- Reading the global order.
CREATE INDEX events_global_order ON store.events (transaction_id, position);
