-- Appends a group of appends to the log and commits with the statement that calls it.
--
-- `request` is a JSON array of flat records, one an event, in order: append (the number of its append
-- in the group), ordinal (its place in the group), event_id, stream, expected (the stream's version
-- before its append; null: any), type, schema_version, customer_id, data, metadata, occurred_at (null:
-- when recorded). Each append is recorded or refused alone and whole. An append that expects an exact
-- version must be the only one to its stream in the group: anything else has no version and fails.
--
-- Answers one row an event. Recorded: its position and version. Refused, because an event of its
-- append is recorded already or because a stream is at another version: the position, version and
-- fingerprint of the event recorded under that id, or else no position and the stream's version.
--
-- Why this is safe: the lock is held until the commit is visible to everybody (PostgreSQL releases
-- locks after that), so positions become visible in order; and under READ COMMITTED each statement
-- of a VOLATILE function sees what the lock's last holder committed.
CREATE OR REPLACE FUNCTION append_events(request jsonb)
RETURNS TABLE (
    event_id uuid, "position" bigint, version integer, refused boolean, fingerprint text
)
LANGUAGE plpgsql VOLATILE
-- The plans are kept from the first call on, when the log may be empty: only index probes do at any
-- size, and compiling them never pays.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $function$
#variable_conflict use_column
DECLARE
    last_position bigint;
    last_recorded_at timestamptz;
    now_recorded_at timestamptz;
    refused_appends integer[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'events are appended at READ COMMITTED only' USING ERRCODE = '25001';
    END IF;

    PERFORM pg_advisory_xact_lock(log_lock_key());

    SELECT e.position, e.recorded_at INTO last_position, last_recorded_at
    FROM events e ORDER BY e.position DESC LIMIT 1;

    now_recorded_at := greatest(clock_now(), last_recorded_at);

    -- Scalar subqueries on purpose: EXISTS might be hashed, which reads the whole log.
    SELECT array_agg(DISTINCT r.append) INTO refused_appends
    FROM jsonb_to_recordset(request)
        AS r (append integer, event_id uuid, stream text, expected integer)
    WHERE CASE
        WHEN (SELECT e.position FROM events e WHERE e.event_id = r.event_id LIMIT 1) IS NOT NULL
            THEN true
        WHEN r.expected IS NULL
            THEN false
        ELSE r.expected <> stream_version(r.stream)
    END;

    RETURN QUERY
    INSERT INTO events AS e (
        position, event_id, stream, version, type, schema_version, customer_id,
        data, metadata, occurred_at, recorded_at
    )
    SELECT
        coalesce(last_position, 0) + row_number() OVER (ORDER BY r.ordinal),
        r.event_id,
        r.stream,
        CASE WHEN r.expected IS NULL OR first_value(r.append) OVER in_stream = r.append
            THEN coalesce((
                SELECT h.version FROM events h WHERE h.stream = r.stream
                ORDER BY h.version DESC LIMIT 1
            ), 0) + row_number() OVER in_stream
        END,
        r.type,
        r.schema_version,
        r.customer_id,
        r.data,
        r.metadata,
        coalesce(r.occurred_at, now_recorded_at),
        now_recorded_at
    FROM jsonb_to_recordset(request) AS r (
        append integer, ordinal integer, event_id uuid, stream text, expected integer, type text,
        schema_version smallint, customer_id text, data jsonb, metadata jsonb,
        occurred_at timestamptz
    )
    WHERE refused_appends IS NULL OR r.append <> ALL (refused_appends)
    WINDOW in_stream AS (PARTITION BY r.stream ORDER BY r.ordinal)
    RETURNING e.event_id, e.position, e.version, false, NULL::text;

    -- Inside the group's one transaction only: commits that notify wait for each other server-wide.
    IF FOUND THEN
        PERFORM pg_notify(log_channel(), '');
    END IF;

    IF refused_appends IS NOT NULL THEN
        RETURN QUERY
        SELECT r.event_id, e.position, coalesce(e.version, stream_version(r.stream)), true,
            e.metadata ->> 'fingerprint'
        FROM jsonb_to_recordset(request) AS r (append integer, event_id uuid, stream text)
        LEFT JOIN events e ON e.event_id = r.event_id
        WHERE r.append = ANY (refused_appends);
    END IF;
END
$function$
