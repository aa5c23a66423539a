-- The event store, in a schema of its own beside the tables of the service.
CREATE SCHEMA store;

-- What the store knows about itself; one row.
CREATE TABLE store.settings (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Raised when the database was restored or failed over: transaction ids may then begin again, or events may be lost
    -- that readers have seen. The order of events goes on above all that was ever given out.
    generation       bigint NOT NULL DEFAULT 0 CHECK (generation BETWEEN 0 AND 500000),
    -- The server that this generation began on.
    server           text NOT NULL,
    -- Positions in one partition of the events, and how many partitions lie ready beyond the newest position.
    partition_size   bigint NOT NULL DEFAULT 10000000 CHECK (partition_size > 0),
    partitions_ahead integer NOT NULL DEFAULT 2 CHECK (partitions_ahead > 0)
);

-- One head a stream: what makes versions unique, and the row that is locked. Half-empty pages keep the updates HOT:
-- nothing updated is indexed. A head at version 0 is a stream without events: it was locked before its first event.
CREATE TABLE store.streams (
    id             text COLLATE "C" PRIMARY KEY,
    version        bigint NOT NULL CHECK (version >= 0),
    -- The `transaction_id` of its newest event.
    transaction_id bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE SEQUENCE store.positions AS bigint;

-- The global order is (transaction_id, position). `transaction_id` is the generation above 44 bits of the transaction's
-- own id, or, if that is greater, what the stream's head has: a transaction may take its id, wait for a head, and append
-- after one with a greater id. Its own id is never above the order's, so whoever reads below the oldest running
-- transaction misses nothing.
CREATE TABLE store.events (
    transaction_id bigint NOT NULL,
    position       bigint NOT NULL DEFAULT nextval('store.positions'),
    stream_id      text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    event_id       uuid NOT NULL,
    event_type     text COLLATE "C" NOT NULL,
    event_version  integer NOT NULL,
    aggregate_type text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid,
    user_id        text,
    data           jsonb NOT NULL,
    metadata       jsonb NOT NULL,
    PRIMARY KEY (transaction_id, position)
) PARTITION BY RANGE (position);

-- Each selection of the global order.
CREATE INDEX events_by_type ON store.events (event_type, transaction_id, position);
CREATE INDEX events_by_category ON store.events (split_part(stream_id, '-', 1), transaction_id, position);
CREATE INDEX events_by_correlation ON store.events (correlation_id, transaction_id, position);

-- An event is stored once: the last line of defence of everything that may be written twice. Apart from the events,
-- because a unique key of theirs would have to contain the position.
CREATE TABLE store.event_ids (
    event_id       uuid PRIMARY KEY,
    transaction_id bigint NOT NULL,
    position       bigint NOT NULL
) PARTITION BY HASH (event_id);
CREATE TABLE store.event_ids_0 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE store.event_ids_1 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE store.event_ids_2 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE store.event_ids_3 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE store.event_ids_4 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE store.event_ids_5 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE store.event_ids_6 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE store.event_ids_7 PARTITION OF store.event_ids FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- The partitions of the events.
CREATE TABLE store.partitions (
    name          text PRIMARY KEY,
    from_position bigint NOT NULL,
    to_position   bigint NOT NULL CHECK (to_position > from_position)
);

-- Takes in what no partition was made for in time, so that an append never fails for want of one.
CREATE TABLE store.events_default PARTITION OF store.events DEFAULT;
-- Loading a stream. On each partition by itself: on the whole table it could not be unique.
CREATE UNIQUE INDEX events_default_of_stream ON store.events_default (stream_id, version);

-- The newest snapshot of each stream that has one.
CREATE TABLE store.snapshots (
    stream_id     text COLLATE "C" PRIMARY KEY,
    version       bigint NOT NULL CHECK (version > 0),
    state_version integer NOT NULL,
    state         jsonb NOT NULL,
    taken_at      timestamptz NOT NULL DEFAULT now()
);
