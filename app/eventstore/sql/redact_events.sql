-- Seals what was recorded in plaintext: the one change of recorded events that there is.
--
-- `request` is a JSON array of position and data. Answers how many events were changed. That nothing
-- but sealing happens is not up to this function: the trigger refuses anything else. The privilege,
-- which the log's owner does not have either, is given for this transaction alone.
CREATE OR REPLACE FUNCTION redact_events(request jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $function$
DECLARE
    redacted integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('redact ' || current_schema(), 0));
    GRANT UPDATE (data) ON events TO CURRENT_USER;
    PERFORM set_config('store.redacting', 'on', true);
    UPDATE events SET data = r.data
    FROM jsonb_to_recordset(request) AS r (position bigint, data jsonb)
    WHERE events.position = r.position;
    GET DIAGNOSTICS redacted = ROW_COUNT;
    PERFORM set_config('store.redacting', 'off', true);
    REVOKE UPDATE (data) ON events FROM CURRENT_USER;
    RETURN redacted;
END
$function$
