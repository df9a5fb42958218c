-- The advisory lock that serialises appends to this store; another schema's store has another key.
CREATE OR REPLACE FUNCTION log_lock_key() RETURNS bigint
LANGUAGE sql STABLE
AS $function$
    SELECT hashtextextended('log of ' || current_schema(), 0)
$function$
