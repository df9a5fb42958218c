-- Appends a group of appends to the log, in the transaction that calls it.
--
-- `request` is a JSON array of flat records, one an event, in order: append (the number of its append
-- in the group; not read when `fresh`), nth (which of the group's events for its stream it is; null:
-- the first; behind an append that expects an exact version, which counts its own, it goes on),
-- event_id, stream, expected (the stream's version before its append; null: any), head (its version
-- as long as the log ends at `seen`; null: not known), known (a version that it has; null: none known),
-- type, schema_version (null: 1), customer_id, internal (true: it ends what began before its customer
-- was erased), data, metadata, occurred_at (null: when recorded). Each append is recorded or refused
-- alone and whole; one with an event of an erased customer is refused, unless that is internal. An append that expects an exact version must be the
-- first to its stream in the group: behind another it gets that one's version, and the group fails.
--
-- With `fresh`, nothing is looked up that could refuse an append: the caller says that the ids are
-- new and that no versions are expected. Should an id not be new after all, the group fails; so it
-- does when a head is not what the caller says, or when a customer was erased: in each case by a
-- unique violation, upon which the caller sends the group again, to be looked at.
--
-- Answers one row. The recorded events stand at first_position and the places after it, in the order
-- of the request; versions are theirs in that order. refusals (null: none) is a JSON array of one
-- record an event of a refused append: append, event_id, and the position, stream, version, type and
-- fingerprint of the event that is recorded under that id already, or else no position, the version
-- of the stream that it was for, and whether it is refused because its customer was erased.
--
-- Why this is safe: the lock is held until the commit is visible to everybody (PostgreSQL releases
-- locks after that), so positions become visible in order; and under READ COMMITTED each statement
-- of a VOLATILE function sees what the lock's last holder committed.
CREATE OR REPLACE FUNCTION append_events(
    request jsonb, seen bigint DEFAULT NULL, fresh boolean DEFAULT false,
    OUT first_position bigint, OUT versions integer[], OUT refusals jsonb
)
LANGUAGE plpgsql VOLATILE
-- The plans are kept from the first call on, when the log may be empty: only index probes do at any
-- size, and compiling them never pays. For what a flag switches off PostgreSQL would else make a plan
-- of its own in each call, which takes longer than the query that it spares.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $function$
DECLARE
    last_position bigint;
    last_recorded_at timestamptz;
    now_recorded_at timestamptz;
    refused_appends integer[];
    any_erased boolean;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'events are appended at READ COMMITTED only' USING ERRCODE = '25001';
    END IF;

    PERFORM pg_advisory_xact_lock(log_lock_key());

    SELECT position, recorded_at INTO last_position, last_recorded_at
    FROM events ORDER BY position DESC LIMIT 1;

    now_recorded_at := greatest(clock_now(), last_recorded_at);

    -- Under the lock, so nothing of a customer can come in behind its erasure.
    any_erased := (SELECT t.customer_id FROM tombstones t LIMIT 1) IS NOT NULL;

    -- An IF in an IF: the query is set up only where it is needed.
    IF fresh AND any_erased THEN
        IF (
            SELECT true FROM jsonb_to_recordset(request) AS r (customer_id text, internal boolean)
            WHERE r.internal IS NOT TRUE AND (
                SELECT t.customer_id FROM tombstones t WHERE t.customer_id = r.customer_id
            ) IS NOT NULL LIMIT 1
        ) THEN
            RAISE EXCEPTION 'a customer of the group was erased' USING ERRCODE = 'unique_violation';
        END IF;
    END IF;

    IF NOT fresh THEN
        SELECT array_agg(DISTINCT r.append) INTO refused_appends
        FROM jsonb_to_recordset(request) AS r (
            append integer, event_id uuid, stream text, expected integer, customer_id text,
            internal boolean
        )
        -- Scalar subqueries on purpose: EXISTS might be hashed, which reads the whole log.
        WHERE (SELECT e.position FROM events e WHERE e.event_id = r.event_id LIMIT 1) IS NOT NULL
            OR r.expected <> coalesce((
                SELECT e.version FROM events e
                WHERE e.stream = r.stream AND e.version >= r.expected
                ORDER BY e.version DESC LIMIT 1
            ), 0)
            OR any_erased AND r.internal IS NOT TRUE AND (
                SELECT t.customer_id FROM tombstones t WHERE t.customer_id = r.customer_id
            ) IS NOT NULL;
    END IF;

    IF refused_appends IS NOT NULL THEN
        SELECT jsonb_agg(jsonb_build_object(
            'append', r.append,
            'event_id', r.event_id,
            'position', e.position,
            'stream', coalesce(e.stream, r.stream),
            'version', coalesce(e.version, stream_version(r.stream)),
            'type', e.type,
            'fingerprint', e.metadata ->> 'fingerprint',
            'erased', r.internal IS NOT TRUE AND (
                SELECT t.customer_id FROM tombstones t WHERE t.customer_id = r.customer_id
            ) IS NOT NULL
        )) INTO refusals
        FROM jsonb_to_recordset(request) AS r (
            append integer, event_id uuid, stream text, customer_id text, internal boolean
        )
        LEFT JOIN events e ON e.event_id = r.event_id
        WHERE r.append = ANY (refused_appends);

        -- What is left, numbered anew: here, for the usual group is spared the sorting.
        SELECT jsonb_agg(r.record || jsonb_build_object('nth', r.nth) ORDER BY r.ordinal)
        INTO request
        FROM (
            SELECT e.record, e.ordinal,
                CASE WHEN e.record ? 'expected' THEN (e.record -> 'nth')::integer
                    ELSE row_number() OVER (PARTITION BY e.record -> 'stream' ORDER BY e.ordinal)
                END AS nth
            FROM jsonb_array_elements(request) WITH ORDINALITY AS e (record, ordinal)
            WHERE (e.record -> 'append')::integer <> ALL (refused_appends)
        ) AS r;
    END IF;

    WITH recorded AS (
        INSERT INTO events AS e (
            position, event_id, stream, version, type, schema_version, customer_id,
            data, metadata, occurred_at, recorded_at
        )
        SELECT
            coalesce(last_position, 0) + r.ordinal,
            r.event_id,
            r.stream,
            -- A head is looked for from a known version on, for an index scan reads a page's older
            -- versions too.
            coalesce(CASE WHEN last_position = seen THEN r.head END, (
                SELECT h.version FROM events h
                WHERE h.stream = r.stream
                    AND h.version >= coalesce(r.expected, r.known, r.head, 1)
                ORDER BY h.version DESC LIMIT 1
            ), 0) + coalesce(r.nth, 1),
            r.type,
            coalesce(r.schema_version, 1),
            r.customer_id,
            r.data,
            r.metadata,
            coalesce(r.occurred_at, now_recorded_at),
            now_recorded_at
        FROM ROWS FROM (jsonb_to_recordset(request) AS (
            append integer, nth integer, event_id uuid, stream text, expected integer,
            known integer, head integer, type text, schema_version smallint, customer_id text,
            data jsonb, metadata jsonb, occurred_at timestamptz
        )) WITH ORDINALITY AS r (
            append, nth, event_id, stream, expected, known, head, type, schema_version,
            customer_id, data, metadata, occurred_at, ordinal
        )
        RETURNING e.position, e.version
    )
    SELECT min(r.position), array_agg(r.version ORDER BY r.position)
    INTO first_position, versions
    FROM recorded r;

    -- Inside the group's one transaction only: commits that notify wait for each other server-wide.
    IF first_position IS NOT NULL THEN
        PERFORM pg_notify(log_channel(), '');
    END IF;
END
$function$
