-- A row for what one input led to, not for each entry: half the rows, and their cause is written once.
ALTER TABLE saga.journal RENAME TO journal_by_entry;
DROP INDEX saga.journal_caused_by;
CREATE TABLE saga.journal (
    saga_id   uuid NOT NULL,
    -- Of the first entry; the others follow.
    seq       bigint NOT NULL,
    at        timestamptz NOT NULL,
    caused_by uuid,
    user_id   text,
    input     text,
    -- An array. Plain JSON: it is written often, and read for a person.
    entries   json NOT NULL,
    CONSTRAINT journal_rows_pkey PRIMARY KEY (saga_id, seq)
);
INSERT INTO saga.journal (saga_id, seq, at, caused_by, user_id, input, entries)
SELECT saga_id, seq, at, caused_by, user_id, input, json_build_array(data) FROM saga.journal_by_entry;
DROP TABLE saga.journal_by_entry;
-- The API finds what a person's command led to.
CREATE INDEX journal_caused_by ON saga.journal (caused_by) WHERE user_id IS NOT NULL;

-- An entry each, for whoever reads.
CREATE VIEW saga.journal_entries AS
SELECT j.saga_id, j.seq + e.nth - 1 AS seq, e.entry->>'kind' AS kind, j.at, j.caused_by, j.user_id, j.input, e.entry AS data
FROM saga.journal AS j, json_array_elements(j.entries) WITH ORDINALITY AS e (entry, nth);

-- The state too is written at each step and seldom read. Room for three versions on a page keeps updates there.
ALTER TABLE saga.sagas ALTER COLUMN state TYPE json USING state::text::json;
ALTER TABLE saga.sagas SET (fillfactor = 45);

-- Autovacuum compared thousands of JSON documents with each other for statistics that no plan looks at.
ALTER TABLE saga.sagas ALTER COLUMN state SET STATISTICS 0, ALTER COLUMN trace SET STATISTICS 0,
                       ALTER COLUMN reason SET STATISTICS 10, ALTER COLUMN key SET STATISTICS 10,
                       ALTER COLUMN correlation_id SET STATISTICS 10;
ALTER TABLE saga.journal ALTER COLUMN entries SET STATISTICS 0, ALTER COLUMN input SET STATISTICS 0,
                         ALTER COLUMN saga_id SET STATISTICS 10, ALTER COLUMN seq SET STATISTICS 10,
                         ALTER COLUMN at SET STATISTICS 10, ALTER COLUMN caused_by SET STATISTICS 10;
