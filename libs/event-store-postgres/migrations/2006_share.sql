-- A share of some categories: those of their streams whose name's hash falls into it, so that several readers share the
-- order out and each stream keeps its own. The hash is the one that hash partitions rest on, and does not change.
CREATE FUNCTION store.read_share(after_transaction bigint, after_position bigint, rows_max bigint, keys text[],
                                 nth bigint, shares bigint)
RETURNS SETOF store.events LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT e.* FROM unnest(keys) AS w (key), LATERAL (
        SELECT * FROM store.events AS o
        WHERE split_part(o.stream_id, '-', 1) = w.key
          AND (hashtextextended(o.stream_id, 0) & 9223372036854775807) % shares = nth
          AND (o.transaction_id, o."position") > (after_transaction, after_position)
          AND o.transaction_id < (SELECT (generation << 44) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                                  FROM store.settings)
        ORDER BY o.transaction_id, o."position" LIMIT rows_max
    ) AS e ORDER BY e.transaction_id, e."position" LIMIT rows_max;
END $$;
