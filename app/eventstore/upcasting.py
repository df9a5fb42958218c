"""Upcasting: whoever reads the log reads today's shape, from one definition in SQL.

Readers in Python and `batch` compose the same expressions into their SELECTs. They stand in the code,
not in the database, so that processes of two versions read one log side by side.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct

_TAG = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+")


class Upcaster(Struct, frozen=True):
    """Turns the data of one event type from one schema version into the next version's."""

    type: str
    from_version: int
    sql: str
    """An expression over a jsonb named ``data``, such as ``data || '{"currency": "EUR"}'``.

    It is pure: the same data always gives the same result.
    """


class UpcastColumns(NamedTuple):
    """SQL expressions over an event's columns ``type``, ``schema_version`` and ``data``."""

    data: str
    schema_version: str


def upcast_columns(upcasters: Sequence[Upcaster]) -> UpcastColumns:
    """The expressions that give an event's data in today's shape, and that shape's version.

    They are the plain columns when there is nothing to upcast, and do no work for other types.
    Raises `ValueError` for steps of a type that do not follow one another (1 to 2, 2 to 3, …).
    """
    if not upcasters:
        return UpcastColumns("data", "schema_version")
    steps = sorted(upcasters, key=lambda step: (step.type, step.from_version))
    data, versions = [], []
    for event_type, chain in groupby(steps, key=lambda step: step.type):
        when, today = _data_of(event_type, list(chain))
        data.append(when)
        versions.append(
            f"WHEN type = '{event_type}' AND schema_version < {today} THEN {today}::smallint"
        )
    return UpcastColumns(
        f"CASE {' '.join(data)} ELSE data END",
        f"CASE {' '.join(versions)} ELSE schema_version END",
    )


def _data_of(event_type: str, chain: Sequence[Upcaster]) -> tuple[str, int]:
    """A type's branch of the CASE, and the version that its last step leads to."""
    if not _TAG.fullmatch(event_type):
        raise ValueError(f"{event_type!r} is no event type of ours")
    first = chain[0].from_version
    if [step.from_version for step in chain] != list(range(first, first + len(chain))):
        raise ValueError(f"the upcasters of {event_type} do not follow one another")
    branches = []
    for start, step in enumerate(chain):
        expression = "data"
        for later in chain[start:]:
            expression = f"(SELECT {later.sql} FROM (SELECT {expression} AS data) AS older)"
        branches.append(f"WHEN {step.from_version} THEN {expression}")
    cases = f"CASE schema_version {' '.join(branches)} ELSE data END"
    return f"WHEN type = '{event_type}' THEN {cases}", first + len(chain)
