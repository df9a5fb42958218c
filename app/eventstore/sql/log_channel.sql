-- The channel on which an append says that the log has grown. Hashed, for a channel's name is as
-- short as a schema's.
CREATE OR REPLACE FUNCTION log_channel() RETURNS text
LANGUAGE sql STABLE
AS $function$
    SELECT 'log_' || md5(current_schema())
$function$
