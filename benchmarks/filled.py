"""A log of many events, made in the database: what read models are built from."""

import psycopg
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Database
from benchmarks.bench import Bench
from benchmarks.sample import CUSTOMERS, TYPES, Crowd

SAMPLES = 500

_FILL = """
INSERT INTO events (
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT n, gen_random_uuid(), 'activity-' || customer_id,
    1 + row_number() OVER (PARTITION BY customer_id ORDER BY n),
    (%(types)s::text[])[1 + n %% cardinality(%(types)s::text[])], 1, customer_id, sample.data,
    sample.metadata,
    '2026-01-01Z'::timestamptz + n * interval '1 s', '2026-01-01Z'::timestamptz + n * interval '1 s'
FROM generate_series(1, %(events)s) AS n
JOIN samples AS sample ON sample.number = n %% %(samples)s
CROSS JOIN LATERAL (SELECT format('customer-%%s', hashint8(n) & %(mask)s) AS customer_id) AS who
ORDER BY n
"""


def fill(bench: Bench, database: Database, events: int) -> None:
    """Fill an empty store's log with events like those of `Crowd`."""
    crowd = Crowd()
    drawn = [crowd.event(crowd.customer()) for _ in range(SAMPLES)]
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(database.schema)))
        connection.execute(
            "CREATE TEMPORARY TABLE samples (number int, data jsonb, metadata jsonb)"
        )
        with connection.cursor().copy("COPY samples FROM STDIN") as copy:
            for number, event in enumerate(drawn):
                copy.write_row((number, bytes(event.data).decode(), bytes(event.metadata).decode()))
        values = {"events": events, "samples": SAMPLES, "types": list(TYPES)}
        connection.execute(_FILL, {**values, "mask": CUSTOMERS_MASK})
        connection.execute("ANALYZE events")


CUSTOMERS_MASK = 2 ** (CUSTOMERS.bit_length() - 1) - 1
"""As many customers, cut to a power of two."""
