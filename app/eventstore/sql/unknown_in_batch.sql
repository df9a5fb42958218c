-- The first event in `batch` that this code does not know, or not in that shape; null: it knows all.
SELECT min(position) FROM batch
WHERE NOT starts_with(stream, 'activity-')
    AND (type, schema_version) NOT IN (
        SELECT * FROM unnest(%(types)s::text[], %(versions)s::smallint[])
    )
