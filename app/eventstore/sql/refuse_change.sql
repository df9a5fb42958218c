-- The trigger that keeps the log as it was written.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'recorded events are never changed or removed (% on %)', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501';
END
$function$
