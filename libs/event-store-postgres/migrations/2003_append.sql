-- Many appends in one statement, a verdict each. Locks, checks and writes in one round trip, committed by itself.
--
-- Streams are named once, in the order of their names, with whether any append writes them. A claim is one stream of one
-- append: which append (from 1, ascending), which stream (its place in `streams`), the version it expects (-1: any), how
-- many events it adds (0: it is only read). An append names a stream once. Events name their claim and their place in it.
--
-- Answers for each claim the version that its stream had when its append's turn came, for each append the claim that was
-- not as expected (0: it was written), and of each event written, in their order, the position; all of them have
-- `transaction`. An event id that is stored already fails the whole statement with BS003: ask for what is stored, answer
-- that, and append the rest.
CREATE FUNCTION store.append(
    streams text[], written boolean[],
    claim_appends integer[], claim_streams integer[], claim_expected bigint[], claim_events integer[],
    event_claims integer[], event_nths integer[], ids uuid[], types text[], versions integer[], aggregates text[],
    occurred timestamptz[], correlations uuid[], causations uuid[], users text[], facts jsonb[], notes jsonb[],
    OUT bases bigint[], OUT conflicts integer[], OUT positions bigint[], OUT transaction bigint
) LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    claims  CONSTANT integer := cardinality(claim_streams);
    heads   bigint[];
    head    bigint;
    moved   boolean[] := array_fill(false, ARRAY[cardinality(streams)]);
    -- The greatest place in the order among the streams of all appends: what is appended comes after it.
    latest  bigint := 0;
    first   integer := 1;
    last    integer;
    failed  integer;
    stream  integer;
    wanted  integer := 0;
BEGIN
    INSERT INTO store.streams (id, version)
    SELECT n.id, 0 FROM unnest(streams) AS n (id) ON CONFLICT (id) DO NOTHING;

    IF false = ANY (written) THEN
        heads := array_fill(0::bigint, ARRAY[cardinality(streams)]);
        FOR i IN 1 .. cardinality(streams) LOOP
            IF written[i] THEN
                SELECT s.version, greatest(latest, s.transaction_id) INTO head, latest
                FROM store.streams AS s WHERE s.id = streams[i] FOR UPDATE;
            ELSE
                SELECT s.version, greatest(latest, s.transaction_id) INTO head, latest
                FROM store.streams AS s WHERE s.id = streams[i] FOR SHARE;
            END IF;
            heads[i] := head;
        END LOOP;
    ELSE
        SELECT array_agg(h.version), max(h.transaction_id) INTO heads, latest
        FROM (SELECT s.version, s.transaction_id FROM store.streams AS s
              WHERE s.id = ANY (streams) ORDER BY s.id FOR UPDATE) AS h;
    END IF;

    bases := array_fill(0::bigint, ARRAY[claims]);
    conflicts := array_fill(0, ARRAY[claim_appends[claims]]);
    WHILE first <= claims LOOP
        last := first;
        failed := 0;
        WHILE last <= claims AND claim_appends[last] = claim_appends[first] LOOP
            bases[last] := heads[claim_streams[last]];
            IF failed = 0 AND claim_expected[last] >= 0 AND claim_expected[last] <> bases[last] THEN
                failed := last;
            END IF;
            last := last + 1;
        END LOOP;
        conflicts[claim_appends[first]] := failed;
        IF failed = 0 THEN
            FOR claim IN first .. last - 1 LOOP
                IF claim_events[claim] > 0 THEN
                    stream := claim_streams[claim];
                    heads[stream] := heads[stream] + claim_events[claim];
                    moved[stream] := true;
                    wanted := wanted + claim_events[claim];
                END IF;
            END LOOP;
        END IF;
        first := last;
    END LOOP;

    positions := ARRAY[]::bigint[];
    IF wanted = 0 THEN
        RETURN;
    END IF;
    SELECT greatest(latest, (g.generation << 44) + pg_current_xact_id()::text::bigint) INTO transaction
    FROM store.settings AS g;
    WITH stored AS (
        INSERT INTO store.events (transaction_id, stream_id, version, event_id, event_type, event_version,
                                  aggregate_type, occurred_at, correlation_id, causation_id, user_id, data, metadata)
        SELECT transaction, streams[claim_streams[e.claim]], bases[e.claim] + e.nth, e.event_id, e.event_type,
               e.event_version, e.aggregate_type, e.occurred_at, e.correlation_id, e.causation_id, e.user_id, e.data,
               e.metadata
        FROM unnest(event_claims, event_nths, ids, types, versions, aggregates, occurred, correlations, causations,
                    users, facts, notes) WITH ORDINALITY
             AS e (claim, nth, event_id, event_type, event_version, aggregate_type, occurred_at, correlation_id,
                   causation_id, user_id, data, metadata, at)
        WHERE conflicts[claim_appends[e.claim]] = 0
        ORDER BY e.at
        RETURNING store.events.event_id, store.events.position AS place
    ), known AS (
        INSERT INTO store.event_ids (event_id, transaction_id, position)
        SELECT stored.event_id, transaction, stored.place FROM stored
        ON CONFLICT (event_id) DO NOTHING
        RETURNING store.event_ids.position AS place
    )
    SELECT array_agg(known.place) INTO positions FROM known;
    IF cardinality(positions) IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'an event of this append is stored already' USING ERRCODE = 'BS003';
    END IF;

    UPDATE store.streams AS s SET version = n.version, transaction_id = transaction
    FROM unnest(streams, heads, moved) AS n (id, version, moved)
    WHERE n.moved AND s.id = n.id;
END $$;
