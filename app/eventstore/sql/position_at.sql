-- The last position recorded at or before a moment; 0 when there is none.
--
-- Positions are dense and recorded_at never goes down with them, so it is found by halving, without an
-- index: in as many probes as the number of events has bits.
CREATE OR REPLACE FUNCTION position_at(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $function$
DECLARE
    low bigint := 0;
    high bigint := coalesce((SELECT max(position) FROM events), 0);
    middle bigint;
BEGIN
    -- What is sought lies from low up to high.
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT recorded_at FROM events WHERE position = middle) <= moment THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$function$
