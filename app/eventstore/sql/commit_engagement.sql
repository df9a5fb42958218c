-- commit_engagement
-- Commits what rules decide on a stretch of the log, or on what fell due: all of it or nothing.
--
-- consumer, after, upto: the one checkpoint, where it stands, and where it is to stand; the same when
-- something fell due. row_version: of its row as it was seen. head: where the log has to end still, for
-- what comes is decided on first (null: anywhere). The others: see record_engagement. left_version: of
-- the checkpoint's row as it is left, by which its owner tells whether anybody else was here.
--
-- It raises TD001 when somebody was faster, and what record_engagement does. A procedure that commits
-- by itself, as commit_reactions, and for the same reason.
CREATE OR REPLACE PROCEDURE commit_engagement(
    consumer text, after bigint, upto bigint, row_version xid, head bigint, until timestamptz,
    states jsonb, request jsonb, INOUT left_version text DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
#variable_conflict use_column
BEGIN
    -- When nothing is decided, the disk is not waited for: what a crash undoes is looked at again.
    IF coalesce(commit_engagement.states, commit_engagement.request) IS NULL THEN
        SET LOCAL synchronous_commit = off;
    END IF;

    UPDATE checkpoints AS c
    SET position = commit_engagement.upto, moved_at = clock_now(),
        deaths = greatest(c.deaths - 1, 0), last_error = NULL
    WHERE c.consumer = commit_engagement.consumer AND c.shard = 0
        AND c.position = commit_engagement.after AND c.xmin = commit_engagement.row_version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another engine was faster' USING ERRCODE = 'TD001';
    END IF;

    PERFORM record_engagement(
        commit_engagement.states, commit_engagement.head, commit_engagement.until,
        commit_engagement.request
    );
    left_version := pg_current_xact_id()::xid::text;
    COMMIT;
END
$procedure$
