-- What keeps the store going: partitions ahead of the events, and a new generation after a restore.

-- Which server this is: another one after a dump was read in, another timeline after a recovery or a failover.
CREATE FUNCTION store.this_server() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || (SELECT timeline_id FROM pg_control_checkpoint())
$$;

INSERT INTO store.settings (server) VALUES (store.this_server());

-- Makes the partitions that are to lie ready; answers how many it made. Whoever comes second has nothing to do.
-- Appends go on meanwhile: a table is attached under a lock that lets them pass. Where positions have overtaken the
-- partitions, they lie in the default one and stay there; the next partition begins well beyond them.
CREATE FUNCTION store.keep_partitions() RETURNS integer LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
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

-- Raises the generation if the database now lives on another server or timeline; answers whether it did. To be called
-- before anything is appended there. Waits for running appends, so that none of the old generation comes late.
CREATE FUNCTION store.recognise_restore() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT server = store.this_server() FROM store.settings) THEN
        RETURN false;
    END IF;
    LOCK TABLE store.events IN EXCLUSIVE MODE;
    UPDATE store.settings SET generation = generation + 1, server = store.this_server()
    WHERE server <> store.this_server();
    RETURN FOUND;
END $$;

SELECT store.keep_partitions();
