-- record_engagement
-- Records what rules decide, in the transaction that calls it, which then holds the lock of the log:
-- let it end at once.
--
-- states: what is kept from now on, as a JSON object (null: all as it was): kept, records of the table;
-- dropped, keys; woken, names of rules that were resumed, and woken_at, when: what they hold back falls
-- due then. head: where the log has to end (null: anywhere), and until: what its clock must have come
-- to by then. request: what `append_events` takes (null: nothing is recorded).
--
-- It raises TD001 when the log goes on, or its clock was set back, and TD002, with the refusals as its
-- detail, when an append is refused; then nothing was done.
CREATE OR REPLACE FUNCTION record_engagement(
    states jsonb, head bigint, until timestamptz, request jsonb
)
RETURNS void
LANGUAGE plpgsql VOLATILE
-- The plan is kept from the first call on, when there may be no states.
SET enable_seqscan = off
AS $function$
#variable_conflict use_column
BEGIN
    IF record_engagement.states IS NOT NULL THEN
        DELETE FROM engagement_states AS s
        WHERE s.key = ANY (
            ARRAY(SELECT jsonb_array_elements_text(record_engagement.states -> 'dropped'))
        );

        INSERT INTO engagement_states AS s (key, state, due_at, held)
        SELECT k.key, k.state, k.due_at, k.held
        FROM jsonb_to_recordset(record_engagement.states -> 'kept') AS k (
            key text, state jsonb, due_at timestamptz, held text[]
        )
        ON CONFLICT (key) DO UPDATE
        SET state = excluded.state, due_at = excluded.due_at, held = excluded.held;

        UPDATE engagement_states AS s
        SET due_at = least(s.due_at, (record_engagement.states ->> 'woken_at')::timestamptz)
        WHERE s.held <> '{}'::text[] AND s.held && ARRAY(
            SELECT jsonb_array_elements_text(record_engagement.states -> 'woken')
        );
    END IF;

    IF record_engagement.head IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(log_lock_key());
        IF coalesce((SELECT max(e.position) FROM events AS e), 0) <> record_engagement.head THEN
            RAISE EXCEPTION 'the log goes on' USING ERRCODE = 'TD001';
        END IF;
        -- Else the next event might be recorded before what is done here. Behind what this commit
        -- records it is not, for that is recorded by now, and time never runs backwards in the log. A
        -- commit that records nothing, such as when all that happens is that a goal's time is over,
        -- leaves no such mark: if the clock is set back later, the next event might come too early.
        IF clock_now() < record_engagement.until THEN
            RAISE EXCEPTION 'the clock was set back' USING ERRCODE = 'TD001';
        END IF;
    END IF;

    PERFORM record_reactions(NULL, NULL, '{}', record_engagement.request);
END
$function$
