-- Of what opens and closes a ride to a driver in a batch, the last stands.
WITH changes AS (
    SELECT driver.id COLLATE "C" AS driver_id, substr(event.stream, 6) AS ride_id, event.type,
        event.position, event.customer_id, event.data
    FROM batch AS event,
        jsonb_array_elements_text(CASE event.type
            WHEN 'ride.offered' THEN event.data -> 'driver_ids'
            WHEN 'ride.offer_declined' THEN jsonb_build_array(event.data -> 'driver_id')
            ELSE event.data -> 'closed_for'
        END) AS driver (id)
    WHERE event.type IN (
        'ride.offered', 'ride.offer_declined', 'ride.offer_failed', 'ride.claimed', 'ride.cancelled'
    ) AND starts_with(event.stream, 'ride-')
), last AS (
    SELECT DISTINCT ON (driver_id, ride_id) * FROM changes
    ORDER BY driver_id, ride_id, position DESC
), closed AS (
    DELETE FROM {offers} AS offer USING last
    WHERE offer.driver_id = last.driver_id AND offer.ride_id = last.ride_id
        AND last.type <> 'ride.offered'
)
INSERT INTO {offers} (driver_id, ride_id, position, customer_id, data, expires_at)
SELECT driver_id, ride_id, position, customer_id, data - 'driver_ids',
    (data ->> 'expires_at')::timestamptz
FROM last
WHERE type = 'ride.offered'
ORDER BY driver_id, ride_id
ON CONFLICT (driver_id, ride_id) DO UPDATE SET position = excluded.position,
    customer_id = excluded.customer_id, data = excluded.data, expires_at = excluded.expires_at;

-- Nobody is to be driven from where an erased rider was.
DELETE FROM {offers} AS offer USING batch AS event
WHERE event.type = 'customer.erased' AND starts_with(event.stream, 'customer-')
    AND offer.customer_id = event.customer_id;
