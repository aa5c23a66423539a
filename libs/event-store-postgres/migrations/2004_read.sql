-- Pages of the global order by keys: `reads.rs` says why there are two. Functions, because they must walk an index in its
-- order whatever the statistics say: before the first ANALYZE the planner would fetch and sort all that is unread.
CREATE FUNCTION store.read_types(after_transaction bigint, after_position bigint, rows_max bigint, keys text[])
RETURNS SETOF store.events LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT e.* FROM unnest(keys) AS w (key), LATERAL (
        SELECT * FROM store.events AS o
        WHERE o.event_type = w.key AND (o.transaction_id, o."position") > (after_transaction, after_position)
          AND o.transaction_id < (SELECT (generation << 44) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                                  FROM store.settings)
        ORDER BY o.transaction_id, o."position" LIMIT rows_max
    ) AS e ORDER BY e.transaction_id, e."position" LIMIT rows_max;
END $$;

CREATE FUNCTION store.read_categories(after_transaction bigint, after_position bigint, rows_max bigint, keys text[])
RETURNS SETOF store.events LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT e.* FROM unnest(keys) AS w (key), LATERAL (
        SELECT * FROM store.events AS o
        WHERE split_part(o.stream_id, '-', 1) = w.key
          AND (o.transaction_id, o."position") > (after_transaction, after_position)
          AND o.transaction_id < (SELECT (generation << 44) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                                  FROM store.settings)
        ORDER BY o.transaction_id, o."position" LIMIT rows_max
    ) AS e ORDER BY e.transaction_id, e."position" LIMIT rows_max;
END $$;
