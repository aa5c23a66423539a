-- What every read database keeps about its projections: which versions there are and which of them is shown, how far
-- each has come in each partition, and what it could not take in. The tables of a version live in a schema of its own;
-- `read` holds nothing but views of the version that is live, which is what makes a swap one statement.
CREATE SCHEMA projection;
CREATE SCHEMA read;

CREATE TABLE projection.versions (
    name            text NOT NULL,
    version         integer NOT NULL,
    -- The code's version of its tables and folds: only code of this shape writes into it.
    shape           integer NOT NULL,
    state           text NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    -- Whether it goes live by itself once it is verified.
    swaps_by_itself boolean NOT NULL,
    asked_by        text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What a comparison with the live version found, and when.
    verdict         jsonb,
    verified_at     timestamptz,
    live_at         timestamptz,
    retired_at      timestamptz,
    -- Once its tables are gone; the row stays as history.
    dropped_at      timestamptz,
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX one_is_live ON projection.versions (name) WHERE state = 'live';
CREATE UNIQUE INDEX one_is_built ON projection.versions (name) WHERE state = 'building';

-- One row a partition, updated by the transaction that applies its events: `next_offset` is progress and fence at once.
CREATE TABLE projection.checkpoints (
    name          text NOT NULL,
    version       integer NOT NULL,
    topic         text NOT NULL,
    partition     integer NOT NULL,
    next_offset   bigint NOT NULL DEFAULT 0,
    -- Where the partition ended when it was last looked at.
    end_offset    bigint NOT NULL DEFAULT 0,
    applied       bigint NOT NULL DEFAULT 0,
    skipped       bigint NOT NULL DEFAULT 0,
    -- The time of the last event applied.
    event_at      timestamptz,
    -- Two versions are compared where both have come to the same place: neither passes `hold_at` before `held_until`.
    -- A hold ends by itself, so that whoever asked for it may die.
    hold_at       bigint,
    held_until    timestamptz,
    PRIMARY KEY (name, version, topic, partition),
    FOREIGN KEY (name, version) REFERENCES projection.versions ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Events that a version could not take in, with the reason and the bytes: kept for a person.
CREATE TABLE projection.skipped (
    name       text NOT NULL,
    version    integer NOT NULL,
    topic      text NOT NULL,
    partition  integer NOT NULL,
    "offset"   bigint NOT NULL,
    reason     text NOT NULL,
    detail     text NOT NULL,
    key        bytea,
    value      bytea,
    skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version, topic, partition, "offset"),
    FOREIGN KEY (name, version) REFERENCES projection.versions ON DELETE CASCADE
);
