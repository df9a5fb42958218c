-- Appends the erasure of a customer and buries the ids that it was known under: from then on
-- `append_events` refuses them. Forgets its identities, and what is quarantined of it. Answers the
-- event's position. It raises (P0001) when what was planned does not hold any more: the erasure is
-- recorded already, or behind the version that it expects stands more than what cannot change it.
--
-- Whoever calls it commits at once, in the same message, for it takes the log's lock.
CREATE OR REPLACE FUNCTION erase_customer(
    request jsonb, customer_ids text[], identity_ids uuid[], OUT erased_at_position bigint
)
LANGUAGE plpgsql VOLATILE
AS $function$
DECLARE
    customer_stream text := request #>> '{0,stream}';
    planned_version integer := (request #> '{0,expected}')::integer;
BEGIN
    -- First, for nobody is to wait for a row of them behind the log's lock.
    DELETE FROM identities WHERE identity_id = ANY (identity_ids);
    PERFORM pg_advisory_xact_lock(quarantine_lock_key());
    DELETE FROM quarantine WHERE customer_id = ANY (customer_ids);

    PERFORM pg_advisory_xact_lock(log_lock_key());
    -- Traits and consents may grow on: or else who writes of a customer without a pause would keep
    -- it from being erased.
    PERFORM FROM events
    WHERE stream = customer_stream AND version > planned_version AND type NOT IN (
        'customer.registered', 'customer.traits_changed',
        'customer.consent_recorded', 'customer.consent_withdrawn'
    );
    IF FOUND THEN
        RAISE EXCEPTION 'the customer has changed meanwhile';
    END IF;

    SELECT answer.first_position INTO erased_at_position
    FROM append_events(
        jsonb_set(request, '{0,expected}', to_jsonb(stream_version(customer_stream)))
    ) AS answer WHERE answer.refusals IS NULL;
    IF erased_at_position IS NULL THEN
        RAISE EXCEPTION 'the customer was erased meanwhile';
    END IF;

    -- A visitor may be buried already, by an erasure of its own.
    INSERT INTO tombstones (customer_id, erased_at)
    SELECT DISTINCT who.id, event.recorded_at
    FROM unnest(customer_ids) AS who (id), events AS event
    WHERE event.position = erased_at_position
    ON CONFLICT (customer_id) DO NOTHING;
END
$function$
