-- One entry for each event that is somebody's. The kind is what kernel's kind_of says.
INSERT INTO {timeline} (
    position, event_id, stream, version, type, kind, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT
    position, event_id, stream, version, type,
    CASE WHEN starts_with(stream, 'activity-') THEN 'activity' ELSE split_part(type, '.', 1) END,
    schema_version, customer_id, data, metadata, occurred_at, recorded_at
FROM batch
WHERE customer_id IS NOT NULL;

-- Of several links and unlinks of one visitor in a batch, the last stands.
WITH last AS (
    SELECT DISTINCT ON (customer_id, identity_id) customer_id, identity_id, type
    FROM (
        SELECT customer_id, (data ->> 'identity_id')::uuid AS identity_id, type, position
        FROM batch
        WHERE type IN ('customer.identity_linked', 'customer.identity_unlinked')
            AND starts_with(stream, 'customer-') AND data ->> 'kind' = 'anonymous'
    ) AS changes
    ORDER BY customer_id, identity_id, position DESC
), unlinked AS (
    DELETE FROM {timeline_links} AS link USING last
    WHERE link.customer_id = last.customer_id AND link.identity_id = last.identity_id
        AND last.type = 'customer.identity_unlinked'
)
INSERT INTO {timeline_links} (customer_id, identity_id)
SELECT customer_id, identity_id FROM last
WHERE type = 'customer.identity_linked'
ORDER BY customer_id, identity_id
ON CONFLICT DO NOTHING;
