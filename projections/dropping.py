"""Dropping generations that nobody reads any more, so that nobody has to wait for it.

`DROP TABLE` needs a lock that everybody else's conflicts with, and whoever comes while it waits for
that queues behind it. So it waits for 100 ms at a time only. That is too short for an autovacuum,
which gives way when somebody has waited for `deadlock_timeout`, 1 s mostly. So autovacuum is kept
off first, by a lock that conflicts with no reader and no writer, and may be waited for.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Connection
from projections.generations import DIFFERING, SCRATCH, GenerationRow, all_generations
from projections.projection import Projection

VACUUM_LOCK_TIMEOUT_MS = 15_000
"""For each table. An autovacuum is gone long before; it may be somebody's own VACUUM."""
DROP_LOCK_TIMEOUT_MS = 100
MAX_DROP_ATTEMPTS = 50
_DROP_PAUSE_S = 0.2

_log = structlog.get_logger(__name__)

# Tables carry their generation's name as a comment, for the definition that made them may be gone.
_TABLES_OF = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    AND obj_description(oid, 'pg_class') = %s
"""
# It is meant for its lock, SHARE UPDATE EXCLUSIVE on the table and on that of its large values,
# which is vacuumed on its own and which LOCK TABLE leaves out.
_KEEP_AUTOVACUUM_OFF = (
    "ALTER TABLE {} SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)"
)
_FORGET = (
    "DELETE FROM checkpoints WHERE consumer = %(consumer)s",
    "DELETE FROM parked_keys WHERE consumer = %(consumer)s",
    "DELETE FROM skipped_events WHERE consumer = %(consumer)s",
    "DELETE FROM projection_pointers WHERE name = %(name)s AND generation = %(generation)s",
    "DELETE FROM projection_generations WHERE name = %(name)s AND generation = %(generation)s",
)


async def drop_leftovers(connection: Connection, projection: Projection[Any]) -> None:
    """Drop what earlier rebuilds and verifications have left behind, whose lock the caller has."""
    for row in await all_generations(connection):
        is_newer = row.definition_version > projection.version
        is_left = row.state == SCRATCH or (row.state == DIFFERING and not is_newer)
        if row.name == projection.name and is_left:
            await drop(connection, row)


async def drop(connection: Connection, row: GenerationRow) -> bool:
    """Drop a generation that no query reads; False when others used it all the while.

    It gives way: nobody queues behind it for longer than 100 ms at a time.
    """
    generation = f"{row.name}_g{row.generation}"
    try:
        async with connection.transaction():
            cursor = await connection.execute(_TABLES_OF, (generation,))
            tables = [table for (table,) in await cursor.fetchall()]
            await _keep_autovacuum_off(connection, tables)
            await _drop_in_a_free_moment(connection, row, tables)
    except LockNotAvailable:
        _log.warning("generation_in_use", generation=generation)
        return False
    _log.info("generation_dropped", generation=generation)
    return True


async def _keep_autovacuum_off(connection: Connection, tables: Sequence[str]) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = {VACUUM_LOCK_TIMEOUT_MS}")
    for table in tables:
        await connection.execute(SQL(_KEEP_AUTOVACUUM_OFF).format(Identifier(table)))


async def _drop_in_a_free_moment(
    connection: Connection, row: GenerationRow, tables: Sequence[str]
) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = {DROP_LOCK_TIMEOUT_MS}")
    for _ in range(MAX_DROP_ATTEMPTS - 1):
        try:
            return await _drop(connection, row, tables)
        except LockNotAvailable:
            await asyncio.sleep(_DROP_PAUSE_S)
    return await _drop(connection, row, tables)


async def _drop(connection: Connection, row: GenerationRow, tables: Sequence[str]) -> None:
    """Drop it; or, where that fails, have no lock of the attempt."""
    consumer = f"{row.name}_g{row.generation}"
    values = {"consumer": consumer, "name": row.name, "generation": row.generation}
    async with connection.transaction():
        for statement in _FORGET:
            await connection.execute(statement, values)
        for table in tables:
            await connection.execute(SQL("DROP TABLE {}").format(Identifier(table)))
