-- Profiles: sums and extremes, so no order matters within a batch. "Seen" counts senders' events.
INSERT INTO {customers} AS known (
    customer_id, stream_version, registered_at, first_seen, last_seen, events, erased_at
)
SELECT
    customer_id,
    coalesce(max(version) FILTER (WHERE starts_with(stream, 'customer-')), 0),
    min(occurred_at) FILTER (
        WHERE type = 'customer.registered' AND starts_with(stream, 'customer-')
    ),
    min(occurred_at) FILTER (WHERE starts_with(stream, 'activity-')),
    max(occurred_at) FILTER (WHERE starts_with(stream, 'activity-')),
    count(*) FILTER (WHERE starts_with(stream, 'activity-')),
    min(occurred_at) FILTER (
        WHERE type = 'customer.erased' AND starts_with(stream, 'customer-')
    )
FROM batch
WHERE customer_id IS NOT NULL
GROUP BY customer_id
ORDER BY customer_id
ON CONFLICT (customer_id) DO UPDATE SET
    stream_version = greatest(known.stream_version, excluded.stream_version),
    registered_at = least(known.registered_at, excluded.registered_at),
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen),
    events = known.events + excluded.events,
    erased_at = least(known.erased_at, excluded.erased_at);

-- Traits: of several changes of one trait in a batch, the last stands; null removes it.
WITH last AS (
    SELECT DISTINCT ON (customer_id, name) customer_id, name, value
    FROM (
        SELECT customer_id, trait.key COLLATE "C" AS name, trait.value, position
        FROM batch CROSS JOIN LATERAL jsonb_each(data -> 'traits') AS trait
        WHERE type IN ('customer.registered', 'customer.traits_changed')
            AND starts_with(stream, 'customer-')
    ) AS changes
    ORDER BY customer_id, name, position DESC
), removed AS (
    DELETE FROM {customers_traits} AS trait USING last
    WHERE trait.customer_id = last.customer_id AND trait.name = last.name
        AND jsonb_typeof(last.value) = 'null'
)
INSERT INTO {customers_traits} (customer_id, name, value, search)
SELECT customer_id, name, value,
    CASE WHEN jsonb_typeof(value) IN ('string', 'number', 'boolean')
        THEN lower(left(value #>> '{}', 100) COLLATE "C")
    END
FROM last
WHERE jsonb_typeof(value) <> 'null'
ORDER BY customer_id, name
ON CONFLICT (customer_id, name) DO UPDATE SET value = excluded.value, search = excluded.search;

-- Consents: the last word on a topic by a channel stands.
INSERT INTO {customers_consents} (customer_id, channel, topic, granted, changed_at)
SELECT DISTINCT ON (customer_id, channel, topic)
    customer_id, channel, topic, type = 'customer.consent_recorded', occurred_at
FROM (
    SELECT customer_id, (data ->> 'channel') COLLATE "C" AS channel,
        (data ->> 'topic') COLLATE "C" AS topic, type, occurred_at, position
    FROM batch
    WHERE type IN ('customer.consent_recorded', 'customer.consent_withdrawn')
        AND starts_with(stream, 'customer-')
) AS changes
ORDER BY customer_id, channel, topic, position DESC
ON CONFLICT (customer_id, channel, topic) DO UPDATE SET
    granted = excluded.granted, changed_at = excluded.changed_at;

-- Identities: linked or not, as the last of a batch's events says.
WITH last AS (
    SELECT DISTINCT ON (customer_id, identity_id) customer_id, identity_id, kind, type, occurred_at
    FROM (
        SELECT customer_id, (data ->> 'identity_id')::uuid AS identity_id, data ->> 'kind' AS kind,
            type, occurred_at, position
        FROM batch
        WHERE type IN ('customer.identity_linked', 'customer.identity_unlinked')
            AND starts_with(stream, 'customer-')
    ) AS changes
    ORDER BY customer_id, identity_id, position DESC
), unlinked AS (
    DELETE FROM {customers_identities} AS identity USING last
    WHERE identity.customer_id = last.customer_id AND identity.identity_id = last.identity_id
        AND last.type = 'customer.identity_unlinked'
)
INSERT INTO {customers_identities} (customer_id, identity_id, kind, linked_at)
SELECT customer_id, identity_id, kind, occurred_at FROM last
WHERE type = 'customer.identity_linked'
ORDER BY customer_id, identity_id
ON CONFLICT (customer_id, identity_id) DO UPDATE SET
    kind = excluded.kind, linked_at = excluded.linked_at;

-- The erased have nothing of this. Last, for the same batch may have said what it was; nothing more
-- can come, for the log takes no command to them.
WITH erased AS (
    SELECT DISTINCT customer_id FROM batch
    WHERE type = 'customer.erased' AND starts_with(stream, 'customer-')
), traits AS (
    DELETE FROM {customers_traits} AS trait USING erased
    WHERE trait.customer_id = erased.customer_id
), consents AS (
    DELETE FROM {customers_consents} AS consent USING erased
    WHERE consent.customer_id = erased.customer_id
)
DELETE FROM {customers_identities} AS identity USING erased
WHERE identity.customer_id = erased.customer_id;
