"""What the log of a database holds in the end, and how what somebody saw differs from it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg

from app.eventstore.database import Database

SHOWN = 20


class Seen(NamedTuple):
    """An event as a reader sees it."""

    position: int
    event_id: UUID


def recorded(database: Database) -> list[Seen]:
    """Every event, by position, after a look at how they are numbered."""
    with psycopg.connect(database.conninfo()) as connection:
        rows = connection.execute(
            "SELECT position, event_id, stream, version, recorded_at FROM events ORDER BY position"
        ).fetchall()
    assert [position for position, *_ in rows] == list(range(1, len(rows) + 1)), "a hole"
    versions: Counter[str] = Counter()
    for position, _, stream, version, _ in rows:
        versions[stream] += 1
        assert version == versions[stream], f"{stream} has version {version} at {position}"
    times = [recorded_at for *_, recorded_at in rows]
    assert times == sorted(times), "time runs backwards"
    return [Seen(position, event_id) for position, event_id, *_ in rows]


def difference(log: Sequence[Seen], seen: Sequence[Seen]) -> str:
    """Empty when somebody saw exactly the log, in order."""
    if list(seen) == list(log):
        return ""
    times = Counter(seen)
    missed = [event for event in log if not times[event]]
    twice = [event for event, number in times.items() if number > 1]
    invented = sorted(times.keys() - set(log))
    if not (missed or twice or invented):
        return "seen out of order"
    return (
        f"missed {len(missed)}: {missed[:SHOWN]}\nseen twice {len(twice)}: {twice[:SHOWN]}\n"
        f"not in the log {len(invented)}: {invented[:SHOWN]}"
    )
