"""The rows that say how far consumers have come, one a shard."""

from collections.abc import Sequence

from app.eventstore.batch import Checkpoint
from app.eventstore.database import Connection

MAX_ERROR_CHARACTERS = 1000

_ENSURE = """
INSERT INTO checkpoints (consumer, shard, shards, position, moved_at)
SELECT %(consumer)s, shard, %(shards)s, %(position)s, clock_now()
FROM generate_series(0, %(shards)s - 1) AS shard
WHERE NOT EXISTS (SELECT FROM checkpoints WHERE consumer = %(consumer)s)
ON CONFLICT DO NOTHING
"""
_POSITIONS = "SELECT shard, position FROM checkpoints WHERE consumer = %s ORDER BY shard"
# Claims lock for update, which this refuses; it allows a change of what is no part of the key.
_HOLD = """
SELECT consumer, shard, position FROM checkpoints WHERE consumer = ANY (%s)
ORDER BY consumer, shard FOR KEY SHARE
"""
_NOTE_ERROR = """
UPDATE checkpoints SET last_error = %s WHERE consumer = %s AND shard = %s RETURNING 1
"""


async def ensure_checkpoints(
    connection: Connection, consumer: str, *, shards: int = 1, position: int = 0
) -> None:
    """Make a consumer's checkpoints where it has none; it begins after the position."""
    values = {"consumer": consumer, "shards": shards, "position": position}
    await connection.execute(_ENSURE, values)


async def positions_of(
    connection: Connection, consumer: str, *, lock: bool = False
) -> dict[Checkpoint, int]:
    """A consumer's checkpoints and where they stand, by shard; none when there is no such consumer.

    `lock`: until the end of the transaction nobody else moves them.
    """
    query = f"{_POSITIONS} FOR UPDATE" if lock else _POSITIONS
    cursor = await connection.execute(query, (consumer,))
    return {Checkpoint(consumer, shard): at for shard, at in await cursor.fetchall()}


async def hold(connection: Connection, consumers: Sequence[str]) -> dict[Checkpoint, int]:
    """The consumers' checkpoints, which nobody claims until the end of the transaction.

    Only a claim that knows of it (`Claim.take`, `held`) moves them, and may commit meanwhile.
    """
    cursor = await connection.execute(_HOLD, (list(consumers),))
    return {Checkpoint(consumer, shard): at for consumer, shard, at in await cursor.fetchall()}


async def note_error(connection: Connection, checkpoint: Checkpoint, message: str | None) -> bool:
    """Show at the checkpoint why it does not move; whether there is such a checkpoint."""
    cursor = await connection.execute(_NOTE_ERROR, (message and storable(message), *checkpoint))
    return await cursor.fetchone() is not None


def storable(message: str) -> str:
    """An error's message as PostgreSQL can keep it: without NUL, which it may quote."""
    return message.replace("\0", "")[:MAX_ERROR_CHARACTERS]
