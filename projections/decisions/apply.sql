-- Where each decision stands, and what they are looked for by.
INSERT INTO {decisions} (customer_id, position, rule, outcome)
SELECT customer_id, position, data ->> 'rule', data ->> 'outcome'
FROM batch
WHERE type = 'decision.made' AND starts_with(stream, 'decision-') AND customer_id IS NOT NULL;
