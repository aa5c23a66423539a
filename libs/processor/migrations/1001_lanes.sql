-- What every processor keeps: who owns a lane and how far it has read, what it still has to publish, when it must
-- wake, and which external calls are open. In a schema of its own, beside the tables of the service.
CREATE SCHEMA processor;

-- One row a lane, updated by every transaction of the lane: small, few, and HOT (nothing updated is indexed).
CREATE TABLE processor.lanes (
    lane         integer PRIMARY KEY,
    epoch        bigint NOT NULL,
    commits      bigint NOT NULL DEFAULT 0,
    next_offsets jsonb NOT NULL DEFAULT '{}',
    published    bigint NOT NULL DEFAULT 0,
    owner        text NOT NULL,
    claimed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);

-- A changed number of lanes would give keys another home: it is refused at start.
CREATE TABLE processor.topology (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    lane_topic text NOT NULL,
    lanes      integer NOT NULL
);

-- One row a commit, not a record: `records` holds them all, packed. Rows at or below `lanes.published` are deleted.
CREATE TABLE processor.outbox (
    lane         integer NOT NULL,
    seq          bigint NOT NULL,
    records      bytea NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lane, seq)
);
ALTER TABLE processor.outbox ALTER COLUMN records SET STORAGE EXTERNAL;

-- Records that the broker refuses whatever happens (too large, no such topic): kept for a person.
CREATE TABLE processor.refused (
    lane       integer NOT NULL,
    seq        bigint NOT NULL,
    reason     text NOT NULL,
    records    bytea NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lane, seq)
);

CREATE TABLE processor.timers (
    lane    integer NOT NULL,
    id      text NOT NULL,
    due_at  timestamptz NOT NULL,
    payload jsonb NOT NULL,
    trace   jsonb,
    PRIMARY KEY (lane, id)
);

CREATE TABLE processor.jobs (
    lane       integer NOT NULL,
    id         text NOT NULL,
    kind       text NOT NULL,
    payload    jsonb NOT NULL,
    trace      jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lane, id)
);

-- A zero-row update inside a CTE does not stop its siblings by itself: this does.
CREATE FUNCTION processor.expect_rows(what text, actual bigint, expected bigint, code text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF actual <> expected THEN
        RAISE EXCEPTION '%: % of % rows', what, actual, expected USING ERRCODE = code;
    END IF;
    RETURN true;
END
$$;
