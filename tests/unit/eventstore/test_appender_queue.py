"""What an appender takes and refuses before anything is sent."""

import pytest

from app.eventstore import appender as module
from app.eventstore.appender import Appender
from app.eventstore.database import Database
from app.kernel.errors import StoreUnavailable, UnstorableValue
from tests.controls.events import an_append, an_event

pytestmark = pytest.mark.anyio


@pytest.fixture
def appender() -> Appender:
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


async def test_a_closed_appender_takes_nothing_that_nobody_would_send(appender: Appender) -> None:
    await appender.__aexit__(None, None, None)
    with pytest.raises(StoreUnavailable):
        appender.submit([an_append()])


async def test_after_a_lost_connection_nothing_known_before_is_believed(
    appender: Appender,
) -> None:
    """The server that comes back may be a replica that had not seen the last events."""
    appender._known_versions["order-1"] = 7
    appender.submit([an_append("order-1")])
    (waiting,) = appender._queue
    assert b'"known":7' in waiting.records[0]

    await appender._disconnect()
    assert b'"known"' not in waiting.records[0]
    appender.submit([an_append("order-1")])
    assert b'"known"' not in appender._queue[1].records[0]
