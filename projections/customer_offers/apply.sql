-- An offer is issued once. It stands under the customer whom its event is of.
INSERT INTO {customer_offers} (customer_id, offer_id, position, data, issued_at, status)
SELECT customer_id, substr(stream, length('offer-') + 1), position, data, occurred_at, 'issued'
FROM batch
WHERE type = 'offer.issued' AND starts_with(stream, 'offer-') AND customer_id IS NOT NULL
ORDER BY customer_id, stream, position
ON CONFLICT (customer_id, offer_id) DO NOTHING;

-- The first end since then stands.
UPDATE {customer_offers} AS offer SET status = ended.status, ended_at = ended.ended_at
FROM (
    SELECT DISTINCT ON (waiting.customer_id, waiting.offer_id) waiting.customer_id, waiting.offer_id,
        substr(batch.type, length('offer.') + 1) AS status, batch.occurred_at AS ended_at
    FROM batch
    JOIN {customer_offers} AS waiting ON waiting.customer_id = batch.customer_id
        AND waiting.offer_id = substr(batch.stream, length('offer-') + 1)
    WHERE batch.type IN ('offer.redeemed', 'offer.withdrawn', 'offer.expired')
        AND starts_with(batch.stream, 'offer-')
        AND waiting.ended_at IS NULL AND waiting.position < batch.position
    ORDER BY waiting.customer_id, waiting.offer_id, batch.position
) AS ended
WHERE offer.customer_id = ended.customer_id AND offer.offer_id = ended.offer_id;

-- The erased have none of what they were offered before, whatever batch that was in.
DELETE FROM {customer_offers} AS offer USING batch
WHERE batch.type = 'customer.erased' AND starts_with(batch.stream, 'customer-')
    AND offer.customer_id = batch.customer_id AND offer.position < batch.position;
