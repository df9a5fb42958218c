"""What a projection has parked: which keys, and taking them up again."""

from typing import Any

from app.eventstore.database import Connection
from app.eventstore.parking import ParkedKey, Tell, parked_keys, take_up
from projections.generations import kept_up_to_date, pointed_to
from projections.projection import Projection
from projections.session import Log


async def parked_of(connection: Connection, projection: Projection[Any]) -> list[ParkedKey]:
    """The keys that queries' answers lack; none where queries have nothing to read yet."""
    generation = await pointed_to(connection, projection)
    return await parked_keys(connection, [generation.name]) if generation else []


async def resume_parked(
    log: Log,
    projection: Projection[Any],
    *,
    tell: Tell,
    key: str | None = None,
    skip: bool = False,
) -> None:
    """Take up what was left out of a key, or of all, on every generation that is kept up to date.

    Each is told of when it is done; see `app.eventstore.parking`. Raises `NotFound` when the key
    is not parked, `StoreUnavailable`, or a `psycopg.Error` of the server's state.
    """
    async with await log.connect(projection.shard_key) as connection:
        await connection.execute("SET synchronous_commit = on")  # somebody is told of it
        kept = await kept_up_to_date(connection, projection)
        works = {generation.name: generation.work for generation in kept}
        await take_up(connection, works, projection.name, tell=tell, key=key, skip=skip)
