-- The advisory lock that erasures take alone, and whoever quarantines events takes with others.
CREATE OR REPLACE FUNCTION quarantine_lock_key() RETURNS bigint
LANGUAGE sql STABLE
AS $function$
    SELECT hashtextextended('quarantine ' || current_schema(), 0)
$function$
