-- What every append paid for and few ever asked for.

-- One table of ids instead of eight: an append of a few events opened nearly all of them.
ALTER TABLE store.event_ids RENAME TO event_ids_by_hash;
CREATE TABLE store.event_ids (
    event_id       uuid NOT NULL,
    transaction_id bigint NOT NULL,
    position       bigint NOT NULL
);
INSERT INTO store.event_ids SELECT event_id, transaction_id, position FROM store.event_ids_by_hash;
DROP TABLE store.event_ids_by_hash;
ALTER TABLE store.event_ids ADD CONSTRAINT event_ids_pkey PRIMARY KEY (event_id);

-- Chooses which selections of the global order have an index of their own: any of `types`, `categories` and `flows`.
-- One that has none is answered by walking the global order and passing over what was not asked for. On a store with
-- events this takes a while, and appends wait.
CREATE FUNCTION store.index_selections(wanted text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF 'types' = ANY (wanted) THEN
        CREATE INDEX IF NOT EXISTS events_by_type ON store.events (event_type, transaction_id, position);
    ELSE
        DROP INDEX IF EXISTS store.events_by_type;
    END IF;
    IF 'categories' = ANY (wanted) THEN
        CREATE INDEX IF NOT EXISTS events_by_category
            ON store.events (split_part(stream_id, '-', 1), transaction_id, position);
    ELSE
        DROP INDEX IF EXISTS store.events_by_category;
    END IF;
    IF 'flows' = ANY (wanted) THEN
        CREATE INDEX IF NOT EXISTS events_by_correlation ON store.events (correlation_id, transaction_id, position);
    ELSE
        DROP INDEX IF EXISTS store.events_by_correlation;
    END IF;
END $$;

-- Autovacuum compared thousands of JSON documents with each other for statistics that no plan looks at.
CREATE FUNCTION store.measure_little(what regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = what AND attnum > 0 AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', what, name,
                       CASE WHEN name IN ('data', 'metadata', 'state') THEN 0 ELSE 10 END);
    END LOOP;
END $$;
SELECT store.measure_little(c.oid::regclass) FROM pg_class AS c
WHERE c.relnamespace = 'store'::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname IN (SELECT name FROM store.partitions
                    UNION ALL VALUES ('events'), ('events_default'), ('event_ids'), ('streams'), ('snapshots'));

-- As before, and a new partition is measured little too.
CREATE OR REPLACE FUNCTION store.keep_partitions() RETURNS integer LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    size  bigint;
    ahead integer;
    upper bigint;
    top   bigint;
    name  text;
    made  integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(4742053611) THEN
        RETURN 0;
    END IF;
    SELECT partition_size, partitions_ahead INTO size, ahead FROM store.settings;
    SELECT last_value INTO top FROM store.positions;
    SELECT coalesce(max(to_position), 0) INTO upper FROM store.partitions;
    IF upper <= top AND EXISTS (SELECT 1 FROM store.events_default AS d WHERE d."position" >= upper) THEN
        upper := (top / size + 2) * size;
    END IF;
    WHILE upper < (top / size + 1 + ahead) * size LOOP
        name := 'events_from_' || upper;
        BEGIN
            EXECUTE format('CREATE TABLE store.%I (LIKE store.events INCLUDING DEFAULTS)', name);
            EXECUTE format('CREATE UNIQUE INDEX %I ON store.%I (stream_id, version)', name || '_of_stream', name);
            PERFORM store.measure_little(format('store.%I', name)::regclass);
            EXECUTE format('ALTER TABLE store.events ATTACH PARTITION store.%I FOR VALUES FROM (%s) TO (%s)',
                           name, upper, upper + size);
            INSERT INTO store.partitions VALUES (name, upper, upper + size);
        EXCEPTION WHEN lock_not_available OR check_violation THEN
            -- A long read, or a burst of appends: the default partition serves until the next try.
            RETURN made;
        END;
        made  := made + 1;
        upper := upper + size;
    END LOOP;
    RETURN made;
END $$;
