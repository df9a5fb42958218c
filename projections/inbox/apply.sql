-- A message is there by its request when it has a text and the inbox comes first and at once, and else
-- when it is sent there. It stands under the customer whom its event is of, once.
INSERT INTO {inbox} (customer_id, message_id, position, data, requested_at)
SELECT customer_id, substr(stream, length('message-') + 1), position, data, occurred_at
FROM batch
WHERE starts_with(stream, 'message-') AND customer_id IS NOT NULL AND (
    type = 'message.requested' AND coalesce(data -> 'channels' ->> 0, 'inbox') = 'inbox'
        AND data ->> 'text' IS NOT NULL AND data ->> 'not_before' IS NULL
    OR type = 'message.sending' AND data ->> 'channel' = 'inbox'
)
ORDER BY customer_id, stream, position
ON CONFLICT (customer_id, message_id) DO NOTHING;

-- The first time that it was read since then stands.
UPDATE {inbox} AS message SET read_at = seen.read_at
FROM (
    SELECT DISTINCT ON (unread.customer_id, unread.message_id)
        unread.customer_id, unread.message_id, batch.occurred_at AS read_at
    FROM batch
    JOIN {inbox} AS unread ON unread.customer_id = batch.customer_id
        AND unread.message_id = substr(batch.stream, length('message-') + 1)
    WHERE batch.type = 'message.read' AND starts_with(batch.stream, 'message-')
        AND unread.read_at IS NULL AND unread.position < batch.position
    ORDER BY unread.customer_id, unread.message_id, batch.position
) AS seen
WHERE message.customer_id = seen.customer_id AND message.message_id = seen.message_id;

-- The erased have none of what they were told before, whatever batch that was in.
DELETE FROM {inbox} AS message USING batch
WHERE batch.type = 'customer.erased' AND starts_with(batch.stream, 'customer-')
    AND message.customer_id = batch.customer_id AND message.position < batch.position;
