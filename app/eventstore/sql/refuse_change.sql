-- The trigger that keeps the log as it was written.
--
-- One change is let through, and only where `redact_events` asks for it: that values in an event's
-- data are sealed which were not, all else being as it was.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('store.redacting', true) = 'on' THEN
        IF to_jsonb(old) - 'data' = to_jsonb(new) - 'data' AND only_sealed(old.data, new.data) THEN
            RETURN new;
        END IF;
    END IF;
    RAISE EXCEPTION 'recorded events are never changed or removed (% on %)', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501';
END
$function$
