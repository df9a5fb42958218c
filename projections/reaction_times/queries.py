"""How soon events are decided on, and messages sent."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import asdict

from projections.reaction_times import BOUNDS_MS, REACTION_TIMES
from projections.reaction_times.tables import ReactionTimesTables
from projections.reading import Query, ReadModels, compiled

Milliseconds = Annotated[int | None, Meta(examples=[20])]


class Percentiles(Struct, frozen=True):
    """Durations, as the upper bounds of a histogram's buckets: so long, or shorter.

    Null: longer than a day.
    """

    count: Annotated[int, Meta(examples=[1000])]
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds


class ReactionTimes(Struct, frozen=True):
    """How long it took; null where there was nothing."""

    decided: Percentiles | None
    """From when an event was recorded, or something fell due, until the decision was."""
    sent: Percentiles | None
    """From the decision until its message was sent; of those that were not deferred."""
    in_all: Percentiles | None
    """Both together."""


class ReactionTimesFilter(Struct, frozen=True):
    """What to count; None: all."""

    rule: str | None = None
    since: date | None = None
    """Inclusive."""
    until: date | None = None
    """Exclusive."""


class ReactionTimesQuery:
    """The reaction times of a store."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def read(
        self, only: ReactionTimesFilter, *, min_position: int | None = None
    ) -> ReactionTimes:
        """All that the filter leaves, together. Raises what `ReadModels.rows` raises."""
        values: dict[str, Any] = {k: v for k, v in asdict(only).items() if v is not None}
        shape = frozenset(values)
        rows = await self._models.rows(
            REACTION_TIMES,
            lambda tables: _buckets(tables, shape),
            values,
            min_position=min_position,
        )
        stages: dict[str, dict[int, int]] = {}
        for stage, bucket, count in rows:
            stages.setdefault(stage, {})[bucket] = int(count)
        found = {
            name: percentiles(stages[name]) if name in stages else None
            for name in ReactionTimes.__struct_fields__
        }
        return ReactionTimes(**found)


def percentiles(counts: Mapping[int, int]) -> Percentiles:
    """Of what fell into each bucket."""
    return Percentiles(sum(counts.values()), *(_bound(counts, percent) for percent in (50, 95, 99)))


def _bound(counts: Mapping[int, int], percent: int) -> int | None:
    """The upper bound of the bucket up to which so many lie."""
    wanted, so_far = sum(counts.values()) * percent, 0
    for bucket in sorted(counts):
        so_far += counts[bucket]
        if so_far * 100 >= wanted:
            return BOUNDS_MS[bucket] if bucket < len(BOUNDS_MS) else None
    return None


@compiled
def _buckets(tables: ReactionTimesTables, shape: frozenset[str]) -> Query:
    row = tables.reaction_times.c
    conditions = {
        "rule": row.rule == sa.bindparam("rule"),
        "since": row.day >= sa.bindparam("since"),
        "until": row.day < sa.bindparam("until"),
    }
    return (
        sa.select(row.stage, row.bucket, sa.func.sum(row.count).label("count"))
        .where(*(conditions[name] for name in sorted(shape)))
        .group_by(row.stage, row.bucket)
    )
