-- record_reactions
-- Records what follows from events, or from timers that fired, in the transaction that calls it, which
-- then holds the lock of the log: let it end at once.
--
-- fired: the timers that fired, as a JSON array of records of key and set_by. timers: those that are
-- set or moved, as records of the table. cancelled: keys. request: what `append_events` takes (null:
-- nothing is recorded). A key is in one of the three at most. Answers where the events stand.
--
-- It raises TD001 when a timer is not due (any more), and TD002, with the refusals as its detail,
-- when an append is refused; then nothing was done.
CREATE OR REPLACE FUNCTION record_reactions(
    fired jsonb, timers jsonb, cancelled text[], request jsonb, OUT first_position bigint
)
LANGUAGE plpgsql VOLATILE
-- Planned once, perhaps while there are no timers: only index probes do at any number of them. For
-- short lists of keys PostgreSQL would else plan anew in each call, which costs more than all the rest.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $function$
#variable_conflict use_column
DECLARE
    touched bigint;
    refused jsonb;
BEGIN
    -- In one order, whoever comes, so that no two wait for each other's rows.
    PERFORM FROM timers AS t
    WHERE t.key IN (
        SELECT f.key FROM jsonb_to_recordset(record_reactions.fired) AS f (key text)
        UNION ALL SELECT s.key FROM jsonb_to_recordset(record_reactions.timers) AS s (key text)
        UNION ALL SELECT unnest(record_reactions.cancelled)
    )
    ORDER BY t.key FOR UPDATE;

    IF record_reactions.fired IS NOT NULL THEN
        DELETE FROM timers AS t
        USING jsonb_to_recordset(record_reactions.fired) AS f (key text, set_by uuid)
        WHERE t.key = f.key AND t.set_by = f.set_by AND t.due_at <= clock_now();
        GET DIAGNOSTICS touched = ROW_COUNT;
        IF touched <> jsonb_array_length(record_reactions.fired) THEN
            RAISE EXCEPTION 'a timer is not due any more' USING ERRCODE = 'TD001';
        END IF;
    END IF;

    DELETE FROM timers AS t WHERE t.key = ANY (record_reactions.cancelled);

    INSERT INTO timers AS t (
        key, due_at, next_try_at, category, thing_id, customer_id, command, metadata, set_by, set_at
    )
    SELECT s.key, s.due_at, s.due_at, s.category, s.thing_id, s.customer_id, s.command, s.metadata,
        s.set_by, clock_now()
    FROM jsonb_to_recordset(record_reactions.timers) AS s (
        key text, due_at timestamptz, category text, thing_id text, customer_id text, command jsonb,
        metadata jsonb, set_by uuid
    )
    ORDER BY s.key
    ON CONFLICT (key) DO UPDATE SET
        due_at = excluded.due_at, next_try_at = excluded.next_try_at, category = excluded.category,
        thing_id = excluded.thing_id, customer_id = excluded.customer_id,
        command = excluded.command, metadata = excluded.metadata, set_by = excluded.set_by,
        set_at = excluded.set_at, error = NULL;

    IF record_reactions.request IS NOT NULL THEN
        SELECT a.first_position, a.refusals INTO first_position, refused
        FROM append_events(record_reactions.request) AS a;
        IF refused IS NOT NULL THEN
            RAISE EXCEPTION 'an append is refused'
                USING ERRCODE = 'TD002', DETAIL = refused::text;
        END IF;
    END IF;
END
$function$
