-- Locks the checkpoint and points `batch` at what comes next. No row: another process has the
-- checkpoint, or there is nothing new, or there is no such checkpoint. `lock` is how it is locked, if it
-- is (`Locking`).
--
-- The checkpoint that it locks may have moved since the statement began, but the range never goes
-- beyond the head that the statement saw; it is then shorter, or empty. It also ends before the first
-- event of a built-in type that this code does not know, or not in that shape. (Materialized, or the
-- range would be searched for that event once for each time that it is mentioned.)
WITH head AS (
    SELECT max(position) AS position FROM events
), claimed AS (
    SELECT position, shard, shards, consumer, xmin AS row_version FROM checkpoints
    WHERE consumer = %(consumer)s AND shard = %(shard)s
        AND position < (SELECT position FROM head)
    {lock}
), wanted AS (
    SELECT claimed.position AS after, head.position AS head, claimed.shard, claimed.shards,
        claimed.consumer, claimed.row_version, least(head.position, claimed.position + %(max_events)s) AS upto
    FROM claimed, head
), known AS MATERIALIZED (
    SELECT wanted.*, (
        SELECT min(position) FROM events
        WHERE position > after AND position <= upto AND NOT starts_with(stream, 'activity-')
            AND (type, schema_version) NOT IN (
                SELECT * FROM unnest(%(types)s::text[], %(versions)s::smallint[])
            )
    ) AS unknown
    FROM wanted
)
SELECT after, coalesce(unknown - 1, upto) AS upto, head, unknown, row_version::text,
    set_config('tidings.batch_consumer', consumer, true),
    set_config('tidings.batch_shard', shard::text, true),
    set_config('tidings.batch_shards', shards::text, true),
    set_config('tidings.batch_after', after::text, true),
    set_config('tidings.batch_upto', coalesce(unknown - 1, upto)::text, true)
FROM known
