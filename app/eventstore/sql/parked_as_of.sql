-- What is set aside at an as-of query's position, as a query for stale answers looks for it: under the
-- name of the temporary tables. A session finds what is temporary before what is not.
CREATE TEMPORARY VIEW parked_keys AS
SELECT '{consumer}'::text AS consumer, key, position FROM parked_keys
WHERE consumer = current_setting('tidings.batch_consumer')
    AND position <= current_setting('tidings.batch_upto')::bigint
