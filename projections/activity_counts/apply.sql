-- Sums, so no order matters. The kind is what kernel's kind_of says, as on timelines.
INSERT INTO {activity_counts} AS known (day, type, kind, events)
SELECT
    (occurred_at AT TIME ZONE 'UTC')::date,
    type,
    CASE WHEN starts_with(stream, 'activity-') THEN 'activity' ELSE split_part(type, '.', 1) END,
    count(*)
FROM batch
WHERE customer_id IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT (day, type, kind) DO UPDATE SET events = known.events + excluded.events;
