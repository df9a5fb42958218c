INSERT INTO {cases_erased} (customer_id)
SELECT DISTINCT customer_id FROM batch
WHERE type = 'customer.erased' AND starts_with(stream, 'customer-')
ORDER BY customer_id
ON CONFLICT (customer_id) DO NOTHING;

-- Of what a batch has of a case, the last stands.
WITH last AS (
    SELECT DISTINCT ON (stream) substr(stream, length('case-') + 1) AS case_id, type, position,
        customer_id, occurred_at
    FROM batch
    WHERE type IN ('case.opened', 'case.resolved') AND starts_with(stream, 'case-')
    ORDER BY stream, position DESC
), resolved AS (
    DELETE FROM {cases} AS open USING last
    WHERE open.case_id = last.case_id AND last.type = 'case.resolved'
)
INSERT INTO {cases} (case_id, customer_id, position, opened_at)
SELECT case_id, customer_id, position, occurred_at FROM last
WHERE type = 'case.opened'
ORDER BY case_id
ON CONFLICT (case_id) DO UPDATE SET customer_id = excluded.customer_id,
    position = excluded.position, opened_at = excluded.opened_at;

DELETE FROM {cases} AS open USING batch, {cases_erased} AS erased
WHERE open.customer_id = batch.customer_id AND erased.customer_id = batch.customer_id;
