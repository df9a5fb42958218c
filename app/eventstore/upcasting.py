"""Upcasting: whoever reads the log reads today's shape, from one definition in SQL.

Readers in Python and `batch` compose the same expressions into their SELECTs. They stand in the
code, not in the database, so that processes of two versions read one log side by side.
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

    It is pure: the same data always gives the same result. It holds no ``%``, which would be taken
    for a parameter.
    """


class UpcastColumns(NamedTuple):
    """SQL expressions over an event's columns ``type``, ``schema_version`` and ``data``."""

    data: str
    schema_version: str


def upcast_columns(upcasters: Sequence[Upcaster]) -> UpcastColumns:
    """The expressions that give an event's data in today's shape, and that shape's version.

    They are the plain columns when there is nothing to upcast, and do no work for other types.
    Raises `ValueError` when a type's steps do not lead from 1 to 2, 2 to 3, and so on.
    """
    if not upcasters:
        return UpcastColumns("data", "schema_version")
    steps = sorted(upcasters, key=lambda step: (step.type, step.from_version))
    data, versions = [], []
    for event_type, chain in groupby(steps, key=lambda step: step.type):
        chain_of_type = list(chain)
        today = len(chain_of_type) + 1
        is_older = f"type = '{event_type}' AND schema_version < {today}"
        data.append(f"WHEN {is_older} THEN {_data_of(event_type, chain_of_type)}")
        versions.append(f"WHEN {is_older} THEN {today}::smallint")
    return UpcastColumns(
        f"CASE {' '.join(data)} ELSE data END",
        f"CASE {' '.join(versions)} ELSE schema_version END",
    )


def _data_of(event_type: str, chain: Sequence[Upcaster]) -> str:
    """The CASE over a type's older versions: from each, all the steps to today, one in another."""
    if not _TAG.fullmatch(event_type) or any("%" in step.sql for step in chain):
        raise ValueError(f"the upcasters of {event_type!r} cannot stand in SQL")
    if [step.from_version for step in chain] != list(range(1, len(chain) + 1)):
        raise ValueError(f"the upcasters of {event_type} do not follow one another from 1")
    branches = []
    for start, step in enumerate(chain):
        expression = "data"
        for later in chain[start:]:
            expression = f"(SELECT {later.sql} FROM (SELECT {expression} AS data) AS older)"
        branches.append(f"WHEN {step.from_version} THEN {expression}")
    return f"CASE schema_version {' '.join(branches)} END"
