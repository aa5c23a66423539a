-- The orchestrator's truth: every saga, its journal, and the definitions that sagas run on.
CREATE SCHEMA saga;

-- Definitions are kept when first loaded, so that a deployment rolled back still finds what its sagas run on.
CREATE TABLE saga.definitions (
    hash          text PRIMARY KEY,
    name          text NOT NULL,
    version       integer NOT NULL,
    body          jsonb NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row a saga. Nothing that changes at every step is indexed, so that updates stay on their page (HOT).
CREATE TABLE saga.sagas (
    id              uuid PRIMARY KEY,
    lane            integer NOT NULL,
    definition      text NOT NULL,
    definition_hash text NOT NULL,
    key             text NOT NULL,
    seq             bigint NOT NULL,
    status          text NOT NULL,
    reason          text,
    correlation_id  uuid NOT NULL,
    state           jsonb NOT NULL,
    trace           jsonb,
    started_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    finished_at     timestamptz
) WITH (fillfactor = 60);

-- What a claimed lane loads.
CREATE INDEX sagas_live ON saga.sagas (lane) WHERE finished_at IS NULL;
-- Lists, newest first, and the search by key.
CREATE INDEX sagas_started ON saga.sagas (started_at DESC, id);
CREATE INDEX sagas_key ON saga.sagas (key);

-- A saga's own events, as they are also published to `saga.events`.
CREATE TABLE saga.journal (
    saga_id      uuid NOT NULL,
    seq          bigint NOT NULL,
    kind         text NOT NULL,
    at           timestamptz NOT NULL,
    caused_by    uuid,
    user_id      text,
    input        text,
    data         jsonb NOT NULL,
    PRIMARY KEY (saga_id, seq)
);
-- The API finds what a person's command led to.
CREATE INDEX journal_caused_by ON saga.journal (caused_by) WHERE user_id IS NOT NULL;
