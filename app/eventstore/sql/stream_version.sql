-- The version of a stream: that of its last event, or 0.
CREATE OR REPLACE FUNCTION stream_version(of_stream text) RETURNS integer
LANGUAGE sql STABLE
AS $function$
    SELECT coalesce(
        (SELECT version FROM events WHERE stream = of_stream ORDER BY version DESC LIMIT 1), 0
    )
$function$
