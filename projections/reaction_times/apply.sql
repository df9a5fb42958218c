-- How long after an event, or a due time, it was decided on. Sums, so no order matters.
INSERT INTO {reaction_times} AS known (day, rule, stage, bucket, count)
SELECT (recorded_at AT TIME ZONE 'UTC')::date, data ->> 'rule', 'decided', width_bucket(
    1000 * extract(epoch FROM recorded_at - (data ->> 'at')::timestamptz), :bounds
), count(*)
FROM batch
WHERE type = 'decision.made' AND starts_with(stream, 'decision-')
GROUP BY 1, 2, 4
ORDER BY 1, 2, 4
ON CONFLICT (day, rule, stage, bucket) DO UPDATE SET count = known.count + excluded.count;

-- Messages that quiet hours defer are not waited for.
INSERT INTO {reaction_times_waiting} (message_id, rule, begun_at, decided_at)
SELECT DISTINCT ON (1) substr(did.value ->> 'stream', 9), data ->> 'rule',
    (data ->> 'at')::timestamptz, recorded_at
FROM batch, jsonb_array_elements(data -> 'did') AS did
WHERE type = 'decision.made' AND starts_with(stream, 'decision-')
    AND did.value ->> 'what' = 'send' AND did.value ->> 'not_before' IS NULL
ORDER BY 1, position
ON CONFLICT (message_id) DO NOTHING;

-- The first thing that ends the wait counts. What is in the inbox by being requested is sent;
-- `MessageRequested.is_in_inbox` says which.
WITH ended AS (
    SELECT DISTINCT ON (1) substr(stream, 9) AS message_id, recorded_at,
        type IN ('message.sent', 'message.requested') AS is_sent
    FROM batch
    WHERE starts_with(stream, 'message-') AND (
        type IN ('message.sent', 'message.dead', 'message.dropped', 'message.unknown')
        OR type = 'message.requested' AND coalesce(data -> 'channels' ->> 0, 'inbox') = 'inbox'
            AND data ->> 'text' IS NOT NULL AND data ->> 'not_before' IS NULL
    )
    ORDER BY 1, position
), waited AS (
    DELETE FROM {reaction_times_waiting} AS waiting USING ended
    WHERE waiting.message_id = ended.message_id
    RETURNING waiting.rule, waiting.begun_at, waiting.decided_at, ended.recorded_at, ended.is_sent
)
INSERT INTO {reaction_times} AS known (day, rule, stage, bucket, count)
SELECT (waited.decided_at AT TIME ZONE 'UTC')::date, waited.rule, span.stage, width_bucket(
    1000 * extract(epoch FROM waited.recorded_at - span.since), :bounds
), count(*)
FROM waited CROSS JOIN LATERAL (
    VALUES ('sent', waited.decided_at), ('in_all', waited.begun_at)
) AS span (stage, since)
WHERE waited.is_sent
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
ON CONFLICT (day, rule, stage, bucket) DO UPDATE SET count = known.count + excluded.count;
