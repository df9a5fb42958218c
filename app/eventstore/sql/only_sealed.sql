-- Whether all that distinguishes two values is that some of the first are sealed in the second.
CREATE OR REPLACE FUNCTION only_sealed(before jsonb, after jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
AS $function$
BEGIN
    IF before = after THEN
        RETURN true;
    END IF;
    IF jsonb_typeof(after) = 'object' AND after ? '$tidings' THEN
        RETURN jsonb_typeof(before) <> 'null'
            AND NOT coalesce(before ? '$tidings', false)
            AND after = jsonb_build_object('$tidings', jsonb_build_object(
                'sealed', after #> '{$tidings,sealed}', 'digest', after #> '{$tidings,digest}'
            ))
            AND jsonb_typeof(after #> '{$tidings,sealed}') = 'string'
            AND jsonb_typeof(after #> '{$tidings,digest}') = 'string';
    END IF;
    IF jsonb_typeof(before) = 'object' AND jsonb_typeof(after) = 'object' THEN
        RETURN NOT EXISTS (
            SELECT FROM jsonb_each(before) AS b FULL JOIN jsonb_each(after) AS a ON a.key = b.key
            WHERE a.key IS NULL OR b.key IS NULL OR NOT only_sealed(b.value, a.value)
        );
    END IF;
    IF jsonb_typeof(before) = 'array' AND jsonb_typeof(after) = 'array'
        AND jsonb_array_length(before) = jsonb_array_length(after)
    THEN
        RETURN NOT EXISTS (
            SELECT FROM ROWS FROM (jsonb_array_elements(before), jsonb_array_elements(after))
                AS item (before, after)
            WHERE NOT only_sealed(item.before, item.after)
        );
    END IF;
    RETURN false;
END
$function$
