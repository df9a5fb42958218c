-- The store's time. Tests and simulations move it by the clock table's offset.
CREATE OR REPLACE FUNCTION clock_now() RETURNS timestamptz
LANGUAGE sql VOLATILE
AS $function$
    SELECT clock_timestamp() + (SELECT offset_by FROM clock)
$function$
