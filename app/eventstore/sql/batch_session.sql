-- What a consumer's session is set up with.
--
-- Its statements are planned once, perhaps while all tables are empty, and batches are ranges of a
-- key: reading a whole table is never right. Outside of a claim the range is empty.
SET enable_seqscan = off;
SET jit = off;
SET tidings.batch_after = '0';
SET tidings.batch_upto = '0';
CREATE TEMPORARY VIEW batch AS
SELECT position, event_id, stream, version, type, {schema_version} AS schema_version, customer_id,
    {data} AS data, metadata, occurred_at, recorded_at
FROM events
WHERE position > current_setting('tidings.batch_after')::bigint
    AND position <= current_setting('tidings.batch_upto')::bigint;
