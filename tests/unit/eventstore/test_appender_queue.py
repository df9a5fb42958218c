"""What an appender takes and refuses before anything is sent."""

import asyncio
from time import perf_counter
from typing import Any, cast

import psycopg
import pytest

from app.eventstore import appender as module
from app.eventstore.appender import GROUPS_TO_CHECK, Appender
from app.eventstore.database import Database
from app.eventstore.group_calls import GroupAnswer, GroupCalls
from app.kernel.errors import StoreUnavailable, UnstorableValue
from tests.controls.events import an_append, an_event

pytestmark = pytest.mark.anyio


class Unreachable(Appender):
    """One whose server is away."""

    tries = 0

    async def _connect(self) -> Any:
        self.tries += 1
        raise StoreUnavailable


class Broken:
    """Calls that fail as nothing should."""

    def __init__(self) -> None:
        self.closings = 0

    async def append(self, _request: bytes, *, seen: int, fresh: bool) -> Any:  # noqa: ARG002 - as it is called
        raise ZeroDivisionError

    async def close(self) -> None:
        self.closings += 1


class KnownIds:
    """Calls to a store that knows every id already, and says so when it inserts without a look."""

    def __init__(self) -> None:
        self.fresh: list[bool] = []

    async def append(self, _request: bytes, *, seen: int, fresh: bool) -> GroupAnswer:  # noqa: ARG002 - as it is called
        self.fresh.append(fresh)
        if fresh:
            raise psycopg.errors.UniqueViolation
        return GroupAnswer(first_position=1, versions=[1], refusals=None)


@pytest.fixture
async def appender() -> Appender:
    """One that has not been opened, so what it takes stays queued."""
    return Appender(Database("postgresql://127.0.0.1:1/nowhere"))


async def test_what_cannot_be_written_as_json_is_refused_alone(appender: Appender) -> None:
    good, surrogate, nul, also_good = appender.submit(
        [
            an_append("order-1"),
            an_append("order-\ud800"),
            an_append("order-2", an_event(data=b'{"s":"\x00"}')),
            an_append("order-3"),
        ]
    )
    for refused in (surrogate, nul):
        assert isinstance(refused.exception(), UnstorableValue)
    assert not good.done()
    assert not also_good.done()
    assert [waiting.answer for waiting in appender._queue] == [good, also_good]
    assert appender._queued_events == 2


async def test_a_full_queue_refuses_at_once(
    appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_EVENTS", 5)
    appender.submit([an_append("order-1", an_event(), an_event(), an_event())])
    with pytest.raises(StoreUnavailable):
        appender.submit([an_append("order-2"), an_append("order-2"), an_append("order-2")])
    appender.submit([an_append("order-2"), an_append("order-2")])


async def test_a_queue_that_takes_too_much_memory_refuses_at_once(
    appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 100_000)
    large = an_append("order-1", an_event(data=b'"' + b"x" * 60_000 + b'"'))
    appender.submit([large])
    with pytest.raises(StoreUnavailable):
        appender.submit([large])
    assert len(appender._queue) == 1


async def test_what_has_been_answered_counts_no_more() -> None:
    appender = Unreachable(Database("postgresql://127.0.0.1:1/nowhere"))
    answers = appender.submit([an_append("order-1"), an_append("order-2")])
    for waiting in appender._queue:
        waiting.give_up_at = perf_counter()
    assert appender._queued_bytes > 0

    sending = asyncio.create_task(appender._run())
    await asyncio.wait(answers)
    await appender._idle.wait()
    sending.cancel()
    assert (appender._queued_events, appender._queued_bytes) == (0, 0)


async def test_a_closed_appender_takes_nothing_that_nobody_would_send(appender: Appender) -> None:
    await appender.__aexit__(None, None, None)
    with pytest.raises(StoreUnavailable):
        appender.submit([an_append()])


async def test_after_a_lost_connection_nothing_known_before_is_believed(
    appender: Appender,
) -> None:
    """The server that comes back may be a replica that had not seen the last events."""
    appender._heads.note(["order-1"], 1, [7])
    assert appender._heads.hint("order-1")

    await appender._disconnect()
    assert not appender._heads.hint("order-1")
    assert appender._heads.position == 0


async def test_a_queue_behind_a_server_that_is_away_waits_no_longer_than_one_append() -> None:
    """Each append is given up by when it came, not by when its group's turn comes."""
    appender = Unreachable(Database("postgresql://127.0.0.1:1/nowhere"))
    answers = appender.submit([an_append(f"order-{number}") for number in range(2_500)])
    for waiting in appender._queue:
        waiting.give_up_at = perf_counter()

    sending = asyncio.create_task(appender._run())
    await asyncio.wait(answers)
    sending.cancel()
    assert all(isinstance(answer.exception(), StoreUnavailable) for answer in answers)
    assert appender.tries == 3


async def test_after_an_unforeseen_failure_its_connection_is_used_no_more(
    appender: Appender, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Broken()
    appender._calls = cast(GroupCalls, broken)
    (answer,) = appender.submit([an_append()])
    sending = asyncio.create_task(appender._run())
    await asyncio.wait([answer])
    await appender._idle.wait()
    sending.cancel()

    assert isinstance(answer.exception(), StoreUnavailable)
    assert broken.closings == 1
    assert "ZeroDivisionError" in capsys.readouterr().out


async def test_once_an_id_has_come_again_ids_are_looked_for_first_for_a_while(
    appender: Appender,
) -> None:
    calls = KnownIds()
    appender._calls = cast(GroupCalls, calls)
    sending = asyncio.create_task(appender._run())
    for _ in range(GROUPS_TO_CHECK + 1):
        (answer,) = appender.submit([an_append()])
        await answer
    sending.cancel()

    assert calls.fresh == [True, *[False] * GROUPS_TO_CHECK, True, False]


async def test_what_expects_a_version_or_was_sent_before_is_never_taken_for_new(
    appender: Appender,
) -> None:
    appender.submit([an_append(), an_append(expected_version=3)])
    plain, exact = appender._queue

    assert (plain.is_fresh, exact.is_fresh) == (True, False)
    plain.sent = True
    assert not plain.is_fresh
