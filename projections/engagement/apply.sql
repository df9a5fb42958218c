-- Sums, so no order matters. A rule is entered with its match, unless it ran or had run too often;
-- what ends or fails before it has matched was never entered.
INSERT INTO {engagement} AS known (rule, rule_version, day, measure, detail, count)
SELECT made.rule, made.rule_version, made.day, counted.measure, counted.detail, count(*)
FROM (
    SELECT data ->> 'rule' AS rule, (data ->> 'rule_version')::integer AS rule_version,
        (recorded_at AT TIME ZONE 'UTC')::date AS day, data ->> 'step' AS step,
        data ->> 'outcome' AS outcome, coalesce(data -> 'held', '[]') AS held
    FROM batch
    WHERE type = 'decision.made' AND starts_with(stream, 'decision-')
) AS made
CROSS JOIN LATERAL (
    SELECT 'outcome', made.outcome
    UNION ALL
    SELECT 'entered', ''
    WHERE made.step = 'pattern' AND (
        made.outcome IN ('acted', 'waiting', 'held_out')
        OR made.outcome = 'held_back' AND made.held -> 0 ->> 'by' NOT IN ('running', 're_entry')
        OR made.outcome = 'ended' AND made.held -> 0 ->> 'by' = 'end'
    )
    UNION ALL
    SELECT DISTINCT 'held', reason.value ->> 'by'
    FROM jsonb_array_elements(made.held) AS reason
    WHERE made.outcome = 'held_back'
    UNION ALL
    SELECT 'goal', made.held -> 0 ->> 'detail' WHERE made.step = 'goal'
) AS counted (measure, detail)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (rule, rule_version, day, measure, detail)
DO UPDATE SET count = known.count + excluded.count;

INSERT INTO {engagement_messages} (message_id, rule, rule_version, day, stages)
SELECT DISTINCT ON (1) substr(did.value ->> 'stream', 9), data ->> 'rule',
    (data ->> 'rule_version')::integer, (recorded_at AT TIME ZONE 'UTC')::date, 0
FROM batch, jsonb_array_elements(data -> 'did') AS did
WHERE type = 'decision.made' AND starts_with(stream, 'decision-') AND did.value ->> 'what' = 'send'
ORDER BY 1, position
ON CONFLICT (message_id) DO NOTHING;

-- Each message counts once for each stage that it comes to, whatever order, on its decision's day.
-- What is in the inbox by being requested is delivered; `MessageRequested.is_in_inbox` says which.
WITH marks AS (
    SELECT substr(stream, 9) AS message_id, bit_or(CASE
        WHEN type IN ('message.opened', 'message.read') THEN 4
        WHEN type = 'message.delivered' THEN 2
        WHEN type = 'message.dead' THEN 8
        WHEN type = 'message.unknown' THEN 16
        WHEN type = 'message.requested' OR data ->> 'channel' = 'inbox' THEN 3
        ELSE 1
    END) AS bits
    FROM batch
    WHERE starts_with(stream, 'message-') AND (
        type IN (
            'message.sent', 'message.delivered', 'message.opened', 'message.read', 'message.dead',
            'message.unknown'
        ) OR type = 'message.requested' AND coalesce(data -> 'channels' ->> 0, 'inbox') = 'inbox'
            AND data ->> 'text' IS NOT NULL AND data ->> 'not_before' IS NULL
    )
    GROUP BY 1
), fresh AS (
    SELECT message.*, marks.bits & ~message.stages AS bits
    FROM marks JOIN {engagement_messages} AS message USING (message_id)
), noted AS (
    UPDATE {engagement_messages} AS message SET stages = message.stages | fresh.bits
    FROM fresh
    WHERE message.message_id = fresh.message_id AND fresh.bits <> 0
)
INSERT INTO {engagement} AS known (rule, rule_version, day, measure, detail, count)
SELECT fresh.rule, fresh.rule_version, fresh.day, 'message', stage.name, count(*)
FROM fresh JOIN (
    VALUES (1, 'sent'), (2, 'delivered'), (4, 'opened'), (8, 'dead'), (16, 'unknown')
) AS stage (bit, name) ON fresh.bits & stage.bit <> 0
GROUP BY 1, 2, 3, 5
ORDER BY 1, 2, 3, 5
ON CONFLICT (rule, rule_version, day, measure, detail)
DO UPDATE SET count = known.count + excluded.count;
