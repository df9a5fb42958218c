-- commit_reactions
-- Commits what follows from a stretch of the log, or from timers that fired: all of it or nothing.
--
-- consumer, shard, after, upto: the checkpoint, where it stands, and where it is to stand (consumer
-- null: no events were reacted to). fired: the timers that fired, as a JSON array of records of key
-- and set_by. timers: those that are set or moved, as records of the table. cancelled: keys. request:
-- what `append_events` takes (null: nothing is recorded). A key is in one of the three at most.
--
-- It raises TD001 when another reactor was faster, or a timer is not due (any more), and TD002, with
-- the refusals as its detail, when an append is refused; then nothing was done.
--
-- A procedure that commits by itself, and takes the lock of the log last: a client that stalls holds
-- neither that nor the checkpoint.
CREATE OR REPLACE PROCEDURE commit_reactions(
    consumer text, shard integer, after bigint, upto bigint,
    fired jsonb, timers jsonb, cancelled text[], request jsonb,
    INOUT first_position bigint DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
#variable_conflict use_column
DECLARE
    touched bigint;
    refused jsonb;
BEGIN
    -- When nothing follows, the disk is not waited for: what a crash undoes is looked at again.
    IF coalesce(commit_reactions.fired, commit_reactions.timers, commit_reactions.request) IS NULL
        AND commit_reactions.cancelled = '{}' THEN
        SET LOCAL synchronous_commit = off;
    END IF;

    IF commit_reactions.consumer IS NOT NULL THEN
        UPDATE checkpoints AS c
        SET position = commit_reactions.upto, moved_at = clock_now(),
            deaths = greatest(c.deaths - 1, 0), last_error = NULL
        WHERE c.consumer = commit_reactions.consumer AND c.shard = commit_reactions.shard
            AND c.position = commit_reactions.after;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another reactor was faster' USING ERRCODE = 'TD001';
        END IF;
    END IF;

    -- In one order, whoever comes, so that no two wait for each other's rows.
    PERFORM FROM timers AS t
    WHERE t.key IN (
        SELECT f.key FROM jsonb_to_recordset(commit_reactions.fired) AS f (key text)
        UNION ALL SELECT s.key FROM jsonb_to_recordset(commit_reactions.timers) AS s (key text)
        UNION ALL SELECT unnest(commit_reactions.cancelled)
    )
    ORDER BY t.key FOR UPDATE;

    IF commit_reactions.fired IS NOT NULL THEN
        DELETE FROM timers AS t
        USING jsonb_to_recordset(commit_reactions.fired) AS f (key text, set_by uuid)
        WHERE t.key = f.key AND t.set_by = f.set_by AND t.due_at <= clock_now();
        GET DIAGNOSTICS touched = ROW_COUNT;
        IF touched <> jsonb_array_length(commit_reactions.fired) THEN
            RAISE EXCEPTION 'a timer is not due any more' USING ERRCODE = 'TD001';
        END IF;
    END IF;

    DELETE FROM timers AS t WHERE t.key = ANY (commit_reactions.cancelled);

    INSERT INTO timers AS t (
        key, due_at, next_try_at, category, thing_id, customer_id, command, metadata, set_by, set_at
    )
    SELECT s.key, s.due_at, s.due_at, s.category, s.thing_id, s.customer_id, s.command, s.metadata,
        s.set_by, clock_now()
    FROM jsonb_to_recordset(commit_reactions.timers) AS s (
        key text, due_at timestamptz, category text, thing_id text, customer_id text, command jsonb,
        metadata jsonb, set_by uuid
    )
    ORDER BY s.key
    ON CONFLICT (key) DO UPDATE SET
        due_at = excluded.due_at, next_try_at = excluded.next_try_at, category = excluded.category,
        thing_id = excluded.thing_id, customer_id = excluded.customer_id,
        command = excluded.command, metadata = excluded.metadata, set_by = excluded.set_by,
        set_at = excluded.set_at, error = NULL;

    IF commit_reactions.request IS NOT NULL THEN
        SELECT a.first_position, a.refusals INTO first_position, refused
        FROM append_events(commit_reactions.request) AS a;
        IF refused IS NOT NULL THEN
            RAISE EXCEPTION 'an append is refused'
                USING ERRCODE = 'TD002', DETAIL = refused::text;
        END IF;
    END IF;
    COMMIT;
END
$procedure$
