"""One value that PostgreSQL cannot store hurts nobody but its sender."""

import asyncio
import random
from collections.abc import Callable

import pytest

from app.eventstore.database import Database
from app.eventstore.port import Append, Appended
from app.eventstore.postgres import PostgresEventStore
from app.kernel.errors import UnstorableValue
from tests.controls.events import an_append, an_event
from tests.integration.eventstore.sessions import log_of

pytestmark = pytest.mark.anyio

LONG = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10_000))

BAD: dict[str, Callable[[], Append]] = {
    "a_number_too_small": lambda: an_append("bad", an_event(data=b'{"n":1e-20000}')),
    "a_number_too_large": lambda: an_append("bad", an_event(data=b'{"n":1e200000}')),
    "an_escaped_nul": lambda: an_append("bad", an_event(data=b'{"s":"\\u0000"}')),
    "a_nul": lambda: an_append("bad", an_event(data=b'{"s":"\x00"}')),
    "an_escaped_lone_surrogate": lambda: an_append("bad", an_event(data=b'{"s":"\\ud800"}')),
    "a_lone_surrogate": lambda: an_append("bad", an_event(customer_id="\ud800")),
    "a_nul_in_a_name": lambda: an_append("bad\0"),
    "invalid_utf8": lambda: an_append("bad", an_event(data=b'{"s":"\xff\xfe"}')),
    "utf8_cut_off": lambda: an_append("bad", an_event(data=b'{"s":"\xe6\xbc')),
    "half_a_document": lambda: an_append("bad", an_event(data=b'{"s":')),
    "no_json": lambda: an_append("bad", an_event(data=b"NaN")),
    "a_stream_too_long_for_an_index": lambda: an_append(LONG),
    "a_customer_too_long_for_an_index": lambda: an_append("bad", an_event(customer_id=LONG)),
    "nesting_too_deep": lambda: an_append("bad", an_event(data=b"[" * 100_000 + b"]" * 100_000)),
    "a_schema_version_too_large": lambda: an_append("bad", an_event(schema_version=40_000)),
}


def is_unstorable(outcome: object) -> bool:
    return isinstance(outcome, UnstorableValue) and "\n" not in str(outcome)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_one_bad_value_among_200_appends_hurts_nobody_else(
    store: PostgresEventStore, database: Database, bad: Callable[[], Append]
) -> None:
    appends = [an_append(f"order-{number % 50}") for number in range(199)]
    appends.insert(117, bad())
    outcomes = await store.append_many(appends)

    assert is_unstorable(outcomes.pop(117)), outcomes
    assert all(isinstance(outcome, Appended) and not outcome.repeated for outcome in outcomes)
    assert [position for position, *_ in log_of(database)] == list(range(1, 200))


async def test_every_bad_value_at_once_hurts_nobody_else(
    store: PostgresEventStore, database: Database
) -> None:
    """From many callers at once, some for the bad ones' stream."""
    good = [an_append(f"order-{number}") for number in range(170)]
    good += [an_append("bad", an_event(number)) for number in range(15)]
    appends = [*good, *(bad() for bad in BAD.values())]
    random.Random(2).shuffle(appends)
    outcomes = await asyncio.gather(
        *(store.append(append) for append in appends), return_exceptions=True
    )

    for append, outcome in zip(appends, outcomes, strict=True):
        assert isinstance(outcome, Appended) if append in good else is_unstorable(outcome)
    assert len(log_of(database)) == len(good)


async def test_a_bad_value_takes_its_own_append_along_whole(
    store: PostgresEventStore, database: Database
) -> None:
    bad = an_append("order-1", an_event(), an_event(data=b'{"n":1e-20000}'), an_event())
    other, refused = await store.append_many([an_append("order-2"), bad])
    assert isinstance(other, Appended)
    assert is_unstorable(refused)
    assert [stream for _, stream, *_ in log_of(database)] == ["order-2"]
