-- Leaves the claimed batch behind; nothing where nothing was claimed.
UPDATE checkpoints
SET position = current_setting('tidings.batch_upto')::bigint, moved_at = clock_now(),
    last_error = NULL
WHERE consumer = %(consumer)s AND shard = %(shard)s
    AND position < current_setting('tidings.batch_upto')::bigint
