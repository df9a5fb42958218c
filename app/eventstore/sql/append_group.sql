-- What the appender calls: `append_events`, committed before a byte of the answer leaves the server.
--
-- A statement's answer is sent while its transaction is still open. Once it is longer than what the
-- network takes in, a client that has stopped reading would hold the lock for as long as it likes.
CREATE OR REPLACE PROCEDURE append_group(
    request jsonb, seen bigint, fresh boolean,
    INOUT first_position bigint DEFAULT NULL, INOUT versions integer[] DEFAULT NULL,
    INOUT refusals text DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    SELECT answer.first_position, answer.versions, answer.refusals::text
    INTO first_position, versions, refusals
    FROM append_events(request, seen, fresh) AS answer;
    COMMIT;
END
$procedure$
