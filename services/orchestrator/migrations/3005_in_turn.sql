-- What grows with every saga that ever was is written where the newest are, so that what is written to stays in memory.

-- A saga's journal by when the saga began: those that go on are neighbours, however many have ended. By the id alone each
-- entry went to another page of the whole index.
DROP VIEW saga.journal_entries;
ALTER TABLE saga.journal ADD COLUMN started_at timestamptz;
UPDATE saga.journal AS j SET started_at = s.started_at FROM saga.sagas AS s WHERE s.id = j.saga_id;
ALTER TABLE saga.journal ALTER COLUMN started_at SET NOT NULL, ALTER COLUMN started_at SET STATISTICS 10,
                         DROP CONSTRAINT journal_rows_pkey,
                         ADD CONSTRAINT journal_in_turn_pkey PRIMARY KEY (started_at, saga_id, seq);

-- An entry each, for whoever reads. Asked for a saga's, it goes over the saga, which knows when it began.
CREATE VIEW saga.journal_entries AS
SELECT s.id AS saga_id, j.seq + e.nth - 1 AS seq, e.entry->>'kind' AS kind, j.at, j.caused_by, j.user_id, j.input,
       e.entry AS data
FROM saga.sagas AS s JOIN saga.journal AS j ON j.started_at = s.started_at AND j.saga_id = s.id,
     json_array_elements(j.entries) WITH ORDINALITY AS e (entry, nth);

-- An id follows from the definition's name and the key: whoever looks for a key knows the ids it may have.
DROP INDEX saga.sagas_key;
