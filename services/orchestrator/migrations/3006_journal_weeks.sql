-- The journal in weeks, by when a saga began: what is old enough is dropped as a table, not deleted row by row, and an index
-- is no larger than its week.
DROP VIEW saga.journal_entries;
ALTER TABLE saga.journal RENAME TO journal_before_weeks;
ALTER INDEX saga.journal_caused_by RENAME TO journal_before_weeks_caused_by;

CREATE TABLE saga.journal (LIKE saga.journal_before_weeks INCLUDING DEFAULTS) PARTITION BY RANGE (started_at);
ALTER TABLE saga.journal ADD CONSTRAINT journal_of_weeks_pkey PRIMARY KEY (started_at, saga_id, seq);
-- The API finds what a person's command led to.
CREATE INDEX journal_of_weeks_caused_by ON saga.journal (caused_by) WHERE user_id IS NOT NULL;

-- As before, an entry each, for whoever reads.
CREATE VIEW saga.journal_entries AS
SELECT s.id AS saga_id, j.seq + e.nth - 1 AS seq, e.entry->>'kind' AS kind, j.at, j.caused_by, j.user_id, j.input,
       e.entry AS data
FROM saga.sagas AS s JOIN saga.journal AS j ON j.started_at = s.started_at AND j.saga_id = s.id,
     json_array_elements(j.entries) WITH ORDINALITY AS e (entry, nth);

-- The tables that the journal consists of, but for `journal_of_no_week`.
CREATE TABLE saga.journal_weeks (
    name    text PRIMARY KEY,
    from_at timestamptz NOT NULL,
    to_at   timestamptz NOT NULL
);

-- No plan looks at what these columns hold; autovacuum would compare it, document by document, for statistics.
CREATE FUNCTION saga.measure_journal_little(week regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN entries SET STATISTICS 0, ALTER COLUMN input SET STATISTICS 0,
                    ALTER COLUMN saga_id SET STATISTICS 10, ALTER COLUMN seq SET STATISTICS 10,
                    ALTER COLUMN at SET STATISTICS 10, ALTER COLUMN caused_by SET STATISTICS 10,
                    ALTER COLUMN started_at SET STATISTICS 10', week);
END $$;

-- What belongs to no week: sagas that began before a gap, or while no week could be made.
CREATE TABLE saga.journal_of_no_week PARTITION OF saga.journal DEFAULT;
SELECT saga.measure_journal_little('saga.journal_of_no_week');

-- What there is becomes one table, up to the end of this week.
DO $$
DECLARE
    upper timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM saga.journal_before_weeks) THEN
        DROP TABLE saga.journal_before_weeks;
        RETURN;
    END IF;
    SELECT date_trunc('week', greatest(max(started_at), now()), 'UTC') + interval '7 days' INTO upper
    FROM saga.journal_before_weeks;
    EXECUTE format('ALTER TABLE saga.journal ATTACH PARTITION saga.journal_before_weeks FOR VALUES FROM (MINVALUE) TO (%L)',
                   upper);
    INSERT INTO saga.journal_weeks VALUES ('journal_before_weeks', '-infinity', upper);
END $$;

-- Makes the tables of this week and the next, and drops those of weeks that ended longer ago than journals are kept (null:
-- for ever). A week in which a saga began that has not ended stays. Whoever comes second has nothing to do.
-- To drop a table is to lock the journal: who reads it for long must not make the lanes wait, so it is tried again later.
CREATE FUNCTION saga.keep_journal(kept interval, OUT made integer, OUT dropped integer, OUT held integer)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    upper  timestamptz;
    week   saga.journal_weeks;
    living timestamptz[];
BEGIN
    made := 0; dropped := 0; held := 0;
    IF NOT pg_try_advisory_xact_lock(4742053612) THEN
        RETURN;
    END IF;
    SELECT greatest(max(to_at), date_trunc('week', now(), 'UTC')) INTO upper FROM saga.journal_weeks;
    WHILE upper < now() + interval '7 days' LOOP
        week := (to_char(upper AT TIME ZONE 'UTC', '"journal_from_"YYYY_MM_DD'), upper, upper + interval '7 days');
        BEGIN
            EXECUTE format('CREATE TABLE saga.%I (LIKE saga.journal INCLUDING DEFAULTS)', week.name);
            PERFORM saga.measure_journal_little(format('saga.%I', week.name)::regclass);
            EXECUTE format('ALTER TABLE saga.journal ATTACH PARTITION saga.%I FOR VALUES FROM (%L) TO (%L)',
                           week.name, week.from_at, week.to_at);
            INSERT INTO saga.journal_weeks SELECT week.*;
        EXCEPTION WHEN lock_not_available OR check_violation THEN
            -- A long read, or entries of that week that came before it was made: the default partition serves.
            EXIT;
        END;
        made  := made + 1;
        upper := week.to_at;
    END LOOP;

    IF NOT EXISTS (SELECT FROM saga.journal_weeks WHERE to_at < now() - kept)
       AND NOT EXISTS (SELECT FROM saga.journal_of_no_week WHERE started_at < now() - kept) THEN
        RETURN;
    END IF;
    -- By the index of live sagas, whatever there is behind.
    WITH live AS MATERIALIZED (SELECT started_at FROM saga.sagas WHERE finished_at IS NULL)
    SELECT coalesce(array_agg(DISTINCT date_trunc('week', started_at, 'UTC')), '{}') INTO living FROM live;
    FOR week IN SELECT * FROM saga.journal_weeks WHERE to_at < now() - kept ORDER BY to_at LOOP
        IF EXISTS (SELECT FROM unnest(living) AS l (began) WHERE l.began >= week.from_at AND l.began < week.to_at) THEN
            held := held + 1;
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('DROP TABLE saga.%I', week.name);
            DELETE FROM saga.journal_weeks WHERE name = week.name;
        EXCEPTION WHEN lock_not_available THEN
            RETURN;
        END;
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM saga.journal_of_no_week WHERE ctid = ANY (ARRAY(
        SELECT j.ctid FROM saga.journal_of_no_week AS j
        WHERE j.started_at < now() - kept AND date_trunc('week', j.started_at, 'UTC') <> ALL (living) LIMIT 100000));
END $$;

SELECT saga.keep_journal(NULL);
