-- Leaves the claimed batch behind; nothing where nothing was claimed. It takes back one death, as
-- `Doubt.passed` does for whoever lives.
UPDATE checkpoints
SET position = current_setting('tidings.batch_upto')::bigint, moved_at = clock_now(),
    deaths = greatest(least(deaths - 1, %(alone)s), 0), last_error = NULL
WHERE consumer = %(consumer)s AND shard = %(shard)s
    AND position < current_setting('tidings.batch_upto')::bigint
