"""What a rebuild was asked to do, beyond rebuilding.

It is kept with the generation that is being built: whoever takes a rebuild up does the same.
"""

from typing import Any, NamedTuple

from app.eventstore.database import Connection
from projections.projection import Generation


class RebuildOptions(NamedTuple):
    """What to do differently."""

    accept_differences: bool = False
    """Let queries read what was built, however it differs from what they read so far."""
    drop_old: bool = False
    """Drop what they read so far."""
    throttle: float | None = None
    """How many events a second are applied at most; None: as many as can be."""


NO_OPTIONS = RebuildOptions()

_ADD = """
UPDATE projection_generations SET accept_differences = accept_differences OR %s,
    drop_old = drop_old OR %s, throttle = coalesce(%s, throttle)
WHERE name = %s AND generation = %s
"""
_OPTIONS_OF = """
SELECT accept_differences, drop_old, throttle FROM projection_generations
WHERE name = %s AND generation = %s
"""


async def add_options(
    connection: Connection, generation: Generation[Any], options: RebuildOptions
) -> None:
    """Keep these beside what was asked before; a new throttle replaces the former one."""
    await connection.execute(_ADD, (*options, generation.projection.name, generation.number))


async def options_of(connection: Connection, generation: Generation[Any]) -> RebuildOptions:
    """What has been asked up to now; more may be asked while it is being built."""
    values = (generation.projection.name, generation.number)
    row = await (await connection.execute(_OPTIONS_OF, values)).fetchone()
    return RebuildOptions(*row) if row else NO_OPTIONS
