-- The relation `batch` of an as-of query: the events of some customers up to a position, less those
-- that a consumer has set aside or was told to skip; and the erasure of those who were erased since,
-- for whatever moment is asked for, nothing of them is to come back.
CREATE TEMPORARY VIEW batch AS
SELECT position, event_id, stream, version, type, {schema_version} AS schema_version, customer_id,
    {data} AS data, metadata, occurred_at, recorded_at, {key} AS key
FROM (
    SELECT * FROM events
    WHERE customer_id = ANY (current_setting('tidings.batch_customers')::text[])
        AND position <= current_setting('tidings.batch_upto')::bigint
    UNION ALL
    SELECT erasure.* FROM tombstones AS buried
    JOIN events AS erasure ON erasure.stream = 'customer-' || buried.customer_id
    WHERE buried.customer_id = ANY (current_setting('tidings.batch_customers')::text[])
        AND erasure.type = 'customer.erased'
        AND erasure.position > current_setting('tidings.batch_upto')::bigint
) AS events
WHERE NOT EXISTS (
        SELECT FROM parked_keys AS parked
        WHERE parked.consumer = current_setting('tidings.batch_consumer')
            AND parked.key = {key} AND parked.position <= events.position
    )
    AND NOT EXISTS (
        SELECT FROM skipped_events AS skipped
        WHERE skipped.consumer = current_setting('tidings.batch_consumer')
            AND skipped.position = events.position
    )
