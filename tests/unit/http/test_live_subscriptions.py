"""What waits for a client of a live stream, and where a client resumes."""

import asyncio

import pytest

from app.http.context import open_context
from app.http.live import LiveEvent, Subscription, last_event_id
from app.kernel.errors import InvalidInput
from tests.unit.http.asking import scope_of

pytestmark = pytest.mark.anyio

SOON_SECONDS = 10
"""A generous deadline for what should come at once."""


def event(position: int) -> LiveEvent:
    return LiveEvent(position, "entry", b"{}")


async def test_a_subscription_hands_out_all_that_waits_at_once() -> None:
    subscription = Subscription[LiveEvent](max_waiting_events=3)

    assert subscription.offer([event(1), event(2)])
    assert subscription.offer([event(3)])

    assert [each.id for each in await anext(subscription)] == [1, 2, 3]
    assert subscription.offer([event(4), event(5), event(6)]), "there is room again"


async def test_a_subscription_that_overflows_ends_and_takes_no_more() -> None:
    subscription = Subscription[LiveEvent](max_waiting_events=2)
    subscription.offer([event(1), event(2)])

    assert not subscription.offer([event(3)])
    assert not subscription.offer([])
    assert [batch async for batch in subscription] == []


async def test_closing_a_subscription_wakes_who_waits_for_it() -> None:
    subscription = Subscription[LiveEvent]()
    waiting = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)

    subscription.close()

    assert await asyncio.wait_for(waiting, SOON_SECONDS) is None


@pytest.mark.parametrize(
    ("sent", "position"), [({}, None), ({"last_event_id": "0"}, 0), ({"last_event_id": "42"}, 42)]
)
def test_a_client_resumes_after_the_last_event_it_has(
    sent: dict[str, str], position: int | None
) -> None:
    scope = scope_of(**sent)
    open_context(scope)

    assert last_event_id(scope) == position


@pytest.mark.parametrize("sent", ["", "-1", "x", "1.0", "9223372036854775808", "1" * 30, "\uff11"])
def test_what_is_no_position_is_refused(sent: str) -> None:
    scope = scope_of()
    scope["headers"] = [(b"last-event-id", sent.encode())]
    open_context(scope)

    with pytest.raises(InvalidInput) as refused:
        last_event_id(scope)

    assert refused.value.field == "Last-Event-ID"
