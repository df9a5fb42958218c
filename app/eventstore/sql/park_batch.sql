-- Sets the claimed batch's keys aside: their events are left out from now on, until they are retried.
INSERT INTO parked_keys (consumer, key, position, error, parked_at)
SELECT %(consumer)s, key, min(position), %(error)s, clock_now()
FROM batch GROUP BY key ORDER BY key
ON CONFLICT DO NOTHING
