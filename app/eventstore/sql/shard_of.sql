-- The shard that a key's events belong to. A hash of our own, which no other version or platform of
-- PostgreSQL changes: the first 28 bits of the MD5 digest (RFC 1321), modulo the number of shards.
CREATE OR REPLACE FUNCTION shard_of(key text, shards integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT ('x' || left(md5(key), 7))::bit(28)::integer % shards
$function$
