-- Where each administrative event stands, and what acts are looked for by; the event itself stays in
-- the log. What services send is none, whatever its type.
INSERT INTO {audit} (position, type, actor, recorded_at)
SELECT position, type, metadata ->> 'actor', recorded_at
FROM batch
WHERE type IN (:administrative) AND NOT starts_with(stream, 'activity-');
