"""What differs between the tables of two generations, in one snapshot."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from psycopg.sql import SQL, Composable, Identifier
from sqlalchemy import Table

from app.eventstore.database import Connection
from projections.projection import Generation

MAX_NAMED = 20
CUSTOMER = "customer_id"


class Difference(Struct, frozen=True):
    """How a table differs from the same table of another generation."""

    table: str
    """Without the generation's number."""
    rows: int
    other_rows: int
    """Of the other generation."""
    by: str
    """What `named` are: `customer_id`, or the columns of the primary key."""
    count: int
    """How many of them differ."""
    named: tuple[str, ...]
    """The first of them; of a table without a key, none."""


class Chosen(NamedTuple):
    """Whose rows are compared."""

    only: Sequence[str] | None = None
    """These customers' alone; None: everybody's."""
    left_out: Sequence[str] = ()
    """But for these customers'."""


# Order-free: a sum of hashes. The text of a row names no table and no column, only values.
_ROWS = "SELECT {whose} AS whose, hashtextextended(t::text, 0)::numeric AS hash FROM {table} AS t"
_TOTAL = "SELECT count(*) AS rows, sum(hash) AS hash FROM ({rows}) AS every"
_DIFFERS = """
SELECT one.rows, other.rows, (one.rows, one.hash) IS DISTINCT FROM (other.rows, other.hash)
FROM ({one}) AS one CROSS JOIN ({other}) AS other
"""
_BY_WHOSE = """
SELECT whose, count(*) AS rows, sum(hash) AS hash FROM ({rows}) AS every GROUP BY whose
"""
_WHO_DIFFERS = """
SELECT whose, count(*) OVER () FROM ({one}) AS one FULL JOIN ({other}) AS other USING (whose)
WHERE (one.rows, one.hash) IS DISTINCT FROM (other.rows, other.hash)
ORDER BY whose LIMIT %(limit)s
"""


async def differences(
    connection: Connection, one: Generation[Any], other: Generation[Any], chosen: Chosen
) -> list[Difference]:
    """The tables that differ, of two generations of one definition that stand at one position.

    Tables that have no `customer_id` are left out where not everybody's rows are compared.
    """
    found: list[Difference] = []
    for table, same in zip(one.all_tables, other.all_tables, strict=True):
        if CUSTOMER in table.columns or (chosen.only is None and not chosen.left_out):
            name = table.name.removesuffix(f"_g{one.number}")
            found += await _difference(connection, name, table, same, chosen)
    return found


async def _difference(
    connection: Connection, name: str, table: Table, same: Table, chosen: Chosen
) -> list[Difference]:
    """That of one table: none, or one."""
    values = {**chosen._asdict(), "limit": MAX_NAMED}
    texts = {"one": _rows_of(table, chosen), "other": _rows_of(same, chosen)}
    totals = {side: SQL(_TOTAL).format(rows=rows) for side, rows in texts.items()}
    cursor = await connection.execute(SQL(_DIFFERS).format(**totals), values)
    row = await cursor.fetchone()
    if row is None or not row[2]:
        return []
    by_whose = {side: SQL(_BY_WHOSE).format(rows=rows) for side, rows in texts.items()}
    cursor = await connection.execute(SQL(_WHO_DIFFERS).format(**by_whose), values)
    found = await cursor.fetchall()
    named = tuple(str(whose) for whose, _ in found if whose is not None)
    by = ", ".join(_key_of(table))
    return [Difference(name, row[0], row[1], by, found[0][1], named)]


def _rows_of(table: Table, chosen: Chosen) -> Composable:
    """The hash of each row that is compared, and whose it is."""
    key = [Identifier(column) for column in _key_of(table)]
    # One column as it is, several as one text, and none is nobody's.
    whose = key[0] if len(key) == 1 else SQL("ROW({})::text").format(SQL(", ").join(key))
    rows = SQL(_ROWS).format(
        whose=whose if key else SQL("NULL::text"), table=Identifier(table.name)
    )
    if CUSTOMER not in table.columns:
        return rows
    if chosen.only is not None:
        rows += SQL(" WHERE customer_id = ANY (%(only)s)")
    elif chosen.left_out:
        rows += SQL(" WHERE customer_id <> ALL (%(left_out)s)")
    return rows


def _key_of(table: Table) -> list[str]:
    """By which columns differences are told apart."""
    if CUSTOMER in table.columns:
        return [CUSTOMER]
    return [column.name for column in table.primary_key]
