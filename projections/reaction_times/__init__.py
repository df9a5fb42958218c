"""Reaction times: how soon events are decided on, and messages sent."""

from app.eventstore.batch import ShardKey
from projections.projection import Projection, apply_sql
from projections.reaction_times.tables import ReactionTimesTables, make_tables

BOUNDS_MS = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700),
    *(1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000),
    *(60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000),
)
"""Of the histogram's buckets, each from one of these up to the next; others take a new version."""


def _apply() -> str:
    """The text, with the bounds."""
    bounds = ", ".join(map(str, BOUNDS_MS))
    return apply_sql(__name__).replace(":bounds", f"ARRAY[{bounds}]::numeric[]")


REACTION_TIMES: Projection[ReactionTimesTables] = Projection(
    name="reaction_times",
    version=1,
    shard_key=ShardKey.NONE,
    make_tables=make_tables,
    apply=_apply,
)
