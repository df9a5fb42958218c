-- Locks the checkpoint of a parked key's shard, waiting for it, and points `batch` at what was left
-- out of the key; of that, at what lies in so many positions (null: all). No row: the key is not
-- parked, or not at this position (null: any).
WITH checkpoint AS (
    SELECT checkpoints.position, parked.key, parked.consumer,
        parked.position + %(skipped)s AS first
    FROM parked_keys AS parked
    JOIN checkpoints
        ON checkpoints.consumer = parked.consumer
        AND checkpoints.shard = shard_of(parked.key, checkpoints.shards)
    WHERE parked.consumer = %(consumer)s AND parked.key = %(key)s
        AND parked.position = coalesce(%(at)s::bigint, parked.position)
    FOR UPDATE
), wanted AS (
    SELECT checkpoint.*, least(position, first - 1 + %(positions)s::bigint) AS upto FROM checkpoint
)
SELECT first, upto, position,
    set_config('tidings.batch_consumer', consumer, true),
    set_config('tidings.batch_shards', '1', true),
    set_config('tidings.batch_key', key, true),
    set_config('tidings.batch_after', (first - 1)::text, true),
    set_config('tidings.batch_upto', upto::text, true)
FROM wanted
