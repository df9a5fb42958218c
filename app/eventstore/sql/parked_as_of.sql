-- What an as-of query leaves out, under the name of its own tables. In the session it hides the table
-- of this name, so that live queries, asked of the past, find what is missing there.
CREATE TEMPORARY VIEW parked_keys AS
SELECT current_setting('tidings.batch_tables') AS consumer, key
FROM parked_keys
WHERE consumer = current_setting('tidings.batch_consumer')
    AND position <= current_setting('tidings.batch_upto')::bigint
