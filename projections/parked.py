"""What a projection has parked: which keys, and taking them up again."""

from collections.abc import Callable
from typing import Any

from app.eventstore.database import Connection
from app.eventstore.failures import is_transient
from app.eventstore.parking import ParkedKey, parked_keys, resume
from app.kernel.errors import NotFound, named_line
from projections.generations import kept_up_to_date, pointed_to
from projections.projection import Generation, Projection
from projections.session import Log

Tell = Callable[[ParkedKey, str | None], None]
"""Is told of a key, as it was parked before, and why it still is; None: it is not."""


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

    Each is told of when it is done; see `app.eventstore.parking.resume`. Raises `NotFound` when
    the key is not parked, `StoreUnavailable`, or a `psycopg.Error` of the server's state.
    """
    async with await log.connect(projection.shard_key) as connection:
        await connection.execute("SET synchronous_commit = on")  # somebody is told of it
        kept = await kept_up_to_date(connection, projection)
        generations = {generation.name: generation for generation in kept}
        parked = [
            each
            for each in await parked_keys(connection, list(generations))
            if key is None or each.key == key
        ]
        if key is not None and not parked:
            raise NotFound(f"{projection.name} has not parked {key!r}")
        for each in parked:
            tell(each, await _resume(connection, generations[each.consumer], each, skip))


async def _resume(
    connection: Connection, generation: Generation[Any], parked: ParkedKey, skip: bool
) -> str | None:
    """Why the key is still parked."""
    try:
        await resume(connection, generation.name, parked.key, generation.work, skip=skip)
    except NotFound:  # somebody else was faster
        keys = await parked_keys(connection, [generation.name])
        is_parked = parked.key in {each.key for each in keys}
        return "somebody else is taking it up" if is_parked else None
    except Exception as error:
        if is_transient(error):
            raise
        return named_line(error)
    return None
