-- What a consumer's session is set up with.
--
-- Its statements are planned once, perhaps while all tables are empty, and batches are ranges of a
-- key: reading a whole table is never right. Outside of a claim the range is empty.
--
-- Of the range, `batch` has the events of the claimed shard whose keys are not parked; or, where
-- tidings.batch_key names one, those of that key alone, parked or not.
SET enable_seqscan = off;
SET jit = off;
SET tidings.batch_consumer = '';
SET tidings.batch_shard = '0';
SET tidings.batch_shards = '1';
SET tidings.batch_key = '';
SET tidings.batch_after = '0';
SET tidings.batch_upto = '0';
CREATE TEMPORARY VIEW batch AS
SELECT position, event_id, stream, version, type, {schema_version} AS schema_version, customer_id,
    {data} AS data, metadata, occurred_at, recorded_at, {key} AS key
FROM events
WHERE position > current_setting('tidings.batch_after')::bigint
    AND position <= current_setting('tidings.batch_upto')::bigint
    AND (
        current_setting('tidings.batch_shards') = '1'
        OR shard_of({key}, current_setting('tidings.batch_shards')::integer)
            = current_setting('tidings.batch_shard')::integer
    )
    AND CASE WHEN current_setting('tidings.batch_key') = '' THEN
        {key} <> ALL (ARRAY(
            SELECT parked.key FROM parked_keys AS parked
            WHERE parked.consumer = current_setting('tidings.batch_consumer')
        ))
    ELSE {key} = current_setting('tidings.batch_key') END;
