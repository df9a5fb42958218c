"""How often each version of a rule began and did something, and with what success."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import asdict

from projections.engagement import ENGAGEMENT
from projections.engagement.tables import EngagementTables
from projections.reading import LIMIT, Query, ReadModels, compiled

Counts = Annotated[Mapping[str, int], Meta(examples=[{"no_consent": 12}])]


class Arm(Struct, frozen=True):
    """Those for whom it acts, or those who are held out to compare with."""

    entered: Annotated[int, Meta(examples=[900])]
    reached_goal: Annotated[int, Meta(examples=[180])]
    """Of them, within the goal's time."""
    share: Annotated[float | None, Meta(examples=[0.2])]
    """Of the first, in whom the goal was reached; null when there are none."""


class Messages(Struct, frozen=True):
    """Messages that were decided on, each counted once in each."""

    sent: int
    delivered: int
    """As the channel's provider says, or by being in the inbox."""
    opened: int
    dead: int
    unknown: int


class Engagement(Struct, frozen=True):
    """What became of a version of a rule."""

    rule: Annotated[str, Meta(examples=["abandoned-cart"])]
    rule_version: Annotated[int, Meta(examples=[2])]
    entered: Annotated[int, Meta(examples=[1000])]
    """How often it matched and began, whatever came of it."""
    outcomes: Annotated[Mapping[str, int], Meta(examples=[{"acted": 850, "held_back": 50}])]
    """Decisions by what they came to; an instance that waits may make several."""
    held: Counts
    """Decisions that were held back, by each of their reasons."""
    messages: Messages
    treated: Arm
    """All who entered and were not held out, whether it could act or not: what compares fairly."""
    held_out: Arm
    late_goals: int
    """Goals that were reached after their time."""


class EngagementPage(Struct, frozen=True):
    """Some versions of rules, and where to go on."""

    items: Sequence[Engagement]
    next_cursor: str | None
    """Null on the last page."""


class EngagementFilter(Struct, frozen=True):
    """What to count; None: all."""

    rule: str | None = None
    since: date | None = None
    """Inclusive."""
    until: date | None = None
    """Exclusive."""


class _Place(NamedTuple):
    after_rule: str
    after_version: Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Engagements:
    """The engagement of a store."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def page(
        self,
        only: EngagementFilter,
        *,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> EngagementPage:
        """Versions by rule, then by number.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values: dict[str, Any] = {k: v for k, v in asdict(only).items() if v is not None}
        shape = frozenset(values)
        if cursor is not None:
            shape |= {"after"}
            place = self._models.cursors.decode(cursor, _Place, ENGAGEMENT.name)
            values |= place._asdict()
        rows = await self._models.rows(
            ENGAGEMENT,
            lambda tables: _counts(tables, shape),
            {"limit": limit + 1, **values},
            min_position=min_position,
        )
        counts: dict[tuple[str, int], dict[tuple[str, str], int]] = {}
        for rule, version, measure, detail, count in rows:
            counts.setdefault((rule, version), {})[measure, detail] = int(count)
        found = [_engagement(*key, of) for key, of in list(counts.items())[:limit]]
        if len(counts) <= limit:
            return EngagementPage(found, None)
        last = _Place(found[-1].rule, found[-1].rule_version)
        return EngagementPage(found, self._models.cursors.encode(last, ENGAGEMENT.name))


def _engagement(rule: str, version: int, counts: Mapping[tuple[str, str], int]) -> Engagement:
    def of(measure: str, detail: str = "") -> int:
        return counts.get((measure, detail), 0)

    def by_detail(measure: str) -> dict[str, int]:
        return {detail: count for (each, detail), count in counts.items() if each == measure}

    held_out = of("outcome", "held_out")
    return Engagement(
        rule=rule,
        rule_version=version,
        entered=of("entered"),
        outcomes=by_detail("outcome"),
        held=by_detail("held"),
        messages=Messages(**{name: of("message", name) for name in Messages.__struct_fields__}),
        treated=_arm(of("entered") - held_out, of("goal", "acted") + of("goal", "not_acted")),
        held_out=_arm(held_out, of("goal", "held_out")),
        late_goals=of("goal", "late"),
    )


def _arm(entered: int, reached_goal: int) -> Arm:
    return Arm(entered, reached_goal, reached_goal / entered if entered else None)


@compiled
def _counts(tables: EngagementTables, shape: frozenset[str]) -> Query:
    row = tables.engagement.c
    after = (
        sa.bindparam("after_rule", type_=sa.Text),
        sa.bindparam("after_version", type_=sa.Integer),
    )
    conditions = {
        "rule": row.rule == sa.bindparam("rule"),
        "since": row.day >= sa.bindparam("since"),
        "until": row.day < sa.bindparam("until"),
        "after": sa.tuple_(row.rule, row.rule_version) > sa.tuple_(*after),
    }
    wanted = [conditions[name] for name in sorted(shape)]
    versions = (
        sa.select(row.rule, row.rule_version)
        .where(*wanted)
        .group_by(row.rule, row.rule_version)
        .order_by(row.rule, row.rule_version)
        .limit(LIMIT)
        .subquery("versions")
    )
    same = sa.and_(versions.c.rule == row.rule, versions.c.rule_version == row.rule_version)
    key = (row.rule, row.rule_version, row.measure, row.detail)
    return (
        sa.select(*key, sa.func.sum(row.count).label("count"))
        .select_from(tables.engagement.join(versions, same))
        .where(*wanted)
        .group_by(*key)
        .order_by(*key)
    )
