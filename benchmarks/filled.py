"""A log of many events, made in the database: what read models are built from."""

from datetime import UTC, datetime

import psycopg
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Database
from benchmarks.bench import Bench
from benchmarks.sample import CUSTOMERS, TYPES, Crowd

SAMPLES = 500
FIRST_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
PIECE_EVENTS = 250_000
"""Made by one statement: what the server sorts and keeps meanwhile does not grow with the log."""
REGULARS = 8
REGULARS_SHARE = 8
"""One event in so many is of a regular, whose timeline grows as the log does."""

_FILL = """
WITH drawn AS (
    SELECT n, n %% %(samples)s AS number, CASE
        WHEN n %% %(share)s = 0 THEN format('regular-%%s', n / %(share)s %% %(regulars)s)
        ELSE format('customer-%%s', hashint8(n) & %(mask)s)
    END AS customer_id
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), so_far AS MATERIALIZED (
    SELECT customer_id, (
        SELECT coalesce(max(version), 0) FROM events WHERE stream = 'activity-' || who.customer_id
    ) AS version
    FROM (SELECT DISTINCT customer_id FROM drawn) AS who
)
INSERT INTO events (
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT n, gen_random_uuid(), 'activity-' || customer_id,
    version + row_number() OVER (PARTITION BY customer_id ORDER BY n),
    (%(types)s::text[])[1 + n %% cardinality(%(types)s::text[])], 1, customer_id, sample.data,
    sample.metadata,
    %(instant)s + n * interval '1 s', %(instant)s + n * interval '1 s'
FROM drawn JOIN so_far USING (customer_id) JOIN samples AS sample USING (number)
ORDER BY n
"""


def fill(bench: Bench, database: Database, events: int) -> None:
    """Fill an empty store's log with events like those of `Crowd`, a second apart."""
    values = {
        "samples": SAMPLES,
        "types": list(TYPES),
        "mask": CUSTOMERS_MASK,
        "share": REGULARS_SHARE,
        "regulars": REGULARS,
        "instant": FIRST_INSTANT,
    }
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(database.schema)))
        _write_samples(connection)
        for first in range(1, events + 1, PIECE_EVENTS):
            last = min(first + PIECE_EVENTS - 1, events)
            connection.execute(_FILL, {**values, "first": first, "last": last})
        connection.execute("VACUUM (ANALYZE) events")


def _write_samples(connection: psycopg.Connection) -> None:
    crowd = Crowd()
    drawn = [crowd.event(crowd.customer()) for _ in range(SAMPLES)]
    connection.execute("CREATE TEMPORARY TABLE samples (number int, data jsonb, metadata jsonb)")
    with connection.cursor().copy("COPY samples FROM STDIN") as copy:
        for number, event in enumerate(drawn):
            copy.write_row((number, bytes(event.data).decode(), bytes(event.metadata).decode()))


CUSTOMERS_MASK = 2 ** (CUSTOMERS.bit_length() - 1) - 1
"""As many customers, cut to a power of two."""
