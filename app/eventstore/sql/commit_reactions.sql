-- commit_reactions
-- Commits what follows from a stretch of the log, or from timers that fired: all of it or nothing.
--
-- consumer, shard, after, upto: the checkpoint, where it stands, and where it is to stand (consumer
-- null: no events were reacted to). row_version: of the checkpoint's row as it was seen, for a key
-- that was parked then may have been taken up meanwhile, and its events in the stretch be anybody's
-- no more. The others, and what it raises besides TD001 for these: see record_reactions.
--
-- A procedure that commits by itself, and takes the lock of the log last: a client that stalls holds
-- neither that nor the checkpoint.
CREATE OR REPLACE PROCEDURE commit_reactions(
    consumer text, shard integer, after bigint, upto bigint, row_version xid,
    fired jsonb, timers jsonb, cancelled text[], request jsonb,
    INOUT first_position bigint DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
#variable_conflict use_column
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
            AND c.position = commit_reactions.after AND c.xmin = commit_reactions.row_version;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another reactor was faster' USING ERRCODE = 'TD001';
        END IF;
    END IF;

    first_position := record_reactions(
        commit_reactions.fired, commit_reactions.timers, commit_reactions.cancelled,
        commit_reactions.request
    );
    COMMIT;
END
$procedure$
