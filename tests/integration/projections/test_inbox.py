"""The inbox holds the messages to a customer, and which of them were read."""

from datetime import timedelta

import pytest

from app.kernel.cipher import as_stored
from app.modules.customers.events import CustomerErased
from app.modules.messages.events import (
    MessageRead,
    MessageRequested,
    MessageSending,
    Priority,
)
from projections.inbox import INBOX
from projections.inbox.queries import Inboxes, InboxMessage, InboxPage
from projections.inbox.routes import inbox_routes
from projections.rebuild import rebuild
from tests.fixtures.access import AsStored
from tests.integration.projections.poison import park
from tests.integration.projections.stage import (
    NOON,
    Happening,
    Stage,
    of_customer,
    of_message,
    sent,
)
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio

GENERATION = INBOX.generation(1)


@pytest.fixture
async def inboxes(stage: Stage) -> Inboxes:
    await stage.make_first(INBOX)
    return Inboxes(stage.models)


def requested(message_id: str, *, customer_id: str = "ann", minutes: float = 0) -> Happening:
    event = MessageRequested("news", f"Words of {message_id}", Priority.LOW)
    return of_message(message_id, event, customer_id=customer_id, minutes=minutes)


def read(message_id: str, *, customer_id: str = "ann", minutes: float = 0) -> Happening:
    return of_message(message_id, MessageRead(), customer_id=customer_id, minutes=minutes)


async def apply(stage: Stage, *happenings: Happening) -> None:
    """All in one batch."""
    await stage.record(*happenings)
    await stage.apply(GENERATION)


async def page(
    inboxes: Inboxes, customer_id: str = "ann", *, only_unread: bool = False
) -> InboxPage:
    return await inboxes.page(customer_id, only_unread=only_unread, limit=100, view=as_stored)


def ids(page: InboxPage) -> list[str]:
    return [message.message_id for message in page.items]


async def test_a_message_stands_there_as_it_was_requested(stage: Stage, inboxes: Inboxes) -> None:
    await apply(stage, sent("ann"), requested("order:42", minutes=1))
    expected = InboxMessage(
        "order:42",
        position=2,
        kind="news",
        text="Words of order:42",
        subject=None,
        priority=Priority.LOW,
        requested_at=NOON + timedelta(minutes=1),
        read_at=None,
    )
    assert await page(inboxes) == InboxPage([expected], None, unread=1, stale=False)


async def test_what_is_sent_to_the_inbox_later_is_there_once_it_is_and_not_before(
    stage: Stage, inboxes: Inboxes
) -> None:
    await apply(
        stage,
        of_message("later", MessageRequested("news", "Hello", not_before=NOON), customer_id="ann"),
        of_message("other", MessageRequested("news", template="welcome"), customer_id="ann"),
        of_message(
            "mail", MessageRequested("news", "Hello", channels=("email",)), customer_id="ann"
        ),
        of_message("mail", MessageSending("email", 1, "news", "Hello"), customer_id="ann"),
    )
    assert ids(await page(inboxes)) == []
    words = MessageSending("inbox", 1, "news", "Welcome", "Hello", Priority.HIGH)
    await apply(stage, *[of_message("other", words, customer_id="ann")] * 2)
    [message] = (await page(inboxes)).items
    assert (message.message_id, message.text, message.subject) == ("other", "Welcome", "Hello")
    assert (message.kind, message.priority) == ("news", Priority.HIGH)


async def test_the_newest_stands_first_by_when_it_was_recorded(
    stage: Stage, inboxes: Inboxes
) -> None:
    await apply(stage, requested("late", minutes=9), requested("early"), requested("mid"))
    assert ids(await page(inboxes)) == ["mid", "early", "late"]


@pytest.mark.parametrize("max_batch_events", [1, 1000])
async def test_a_message_is_read_when_it_was_read_first(
    stage: Stage, inboxes: Inboxes, max_batch_events: int
) -> None:
    await stage.record(requested("a"), requested("b"), read("a", minutes=5), read("a", minutes=7))
    await stage.apply(GENERATION, max_batch_events=max_batch_events)
    unread, was_read = (await page(inboxes)).items
    assert (unread.read_at, was_read.read_at) == (None, NOON + timedelta(minutes=5))


async def test_unread_ones_are_counted_and_listed_alone(stage: Stage, inboxes: Inboxes) -> None:
    await apply(stage, *(requested(message_id) for message_id in "abc"), read("b"))
    everything, unread = await page(inboxes), await page(inboxes, only_unread=True)
    assert (ids(everything), everything.unread) == (["c", "b", "a"], 2)
    assert (ids(unread), unread.unread) == (["c", "a"], 2)


async def test_nobodys_inbox_is_empty_and_each_has_the_own(stage: Stage, inboxes: Inboxes) -> None:
    await apply(stage, requested("a"), requested("b", customer_id="ben"), read("b"))
    assert await page(inboxes, "nobody") == InboxPage([], None, unread=0, stale=False)
    assert ids(await page(inboxes, "ann")) == ["a"]
    assert (await page(inboxes, "ben")).unread == 1, "ann has not read it"


async def test_what_services_send_is_no_message(stage: Stage, inboxes: Inboxes) -> None:
    await apply(stage, sent("ann", "message.requested", kind="news", text="Hello"))
    assert ids(await page(inboxes)) == []


@pytest.mark.parametrize("max_batch_events", [1, 2, 1000])
async def test_the_inbox_of_an_erased_customer_is_empty_in_whatever_batch_that_was(
    stage: Stage, inboxes: Inboxes, max_batch_events: int
) -> None:
    await stage.record(
        requested("a"),
        requested("b", customer_id="ben"),
        of_customer("ann", CustomerErased(0, 0)),
    )
    await stage.apply(GENERATION, max_batch_events=max_batch_events)
    assert ids(await page(inboxes)) == []
    assert ids(await page(inboxes, "ben")) == ["b"]


async def test_a_rebuilt_inbox_is_the_same(stage: Stage, inboxes: Inboxes) -> None:
    await apply(stage, *(requested(message_id) for message_id in "abc"))
    await apply(stage, read("a"), read("c"))
    number = await rebuild(stage.log, INBOX, jobs=2, handover=timedelta(0))
    rebuilt = await stage.contents(INBOX.generation(number))
    assert rebuilt == await stage.contents(GENERATION)


async def test_pages_hold_every_message_once_while_others_come(
    stage: Stage, inboxes: Inboxes
) -> None:
    await apply(stage, *(requested(f"m{number}") for number in range(7)))
    found: list[str] = []
    cursor = None
    while True:
        some = await inboxes.page("ann", limit=3, cursor=cursor, view=as_stored)
        found += ids(some)
        cursor = some.next_cursor
        if cursor is None:
            break
        await apply(stage, requested(f"new{len(found)}"))
    assert found == [f"m{number}" for number in reversed(range(7))]


async def test_an_inbox_from_which_messages_are_missing_says_so(
    stage: Stage, inboxes: Inboxes
) -> None:
    await park(stage, "inbox_g1", "ann")
    assert (await page(inboxes, "ann")).stale
    assert not (await page(inboxes, "ben")).stale


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=abc", "cursor"),
        ("unread=maybe", "unread"),
        ("min_position=2", "min_position"),
        ("as_of=1", "as_of"),
    ],
)
async def test_what_is_no_query_of_it_is_refused(
    stage: Stage, inboxes: Inboxes, query: str, field: str
) -> None:
    await apply(stage, requested("a"))
    app = app_of(*inbox_routes(inboxes, AsStored()))
    answer = await ask(app, "GET", f"/v1/customers/ann/inbox?{query}")
    assert (answer.status, answer.json()["field"]) == (400, field)


async def test_it_is_read_over_http_no_earlier_than_is_asked_for(
    stage: Stage, inboxes: Inboxes
) -> None:
    app = app_of(*inbox_routes(inboxes, AsStored()))
    head = await stage.record(requested("a"), requested("b"), read("a"))
    async with stage.projecting(INBOX):
        target = f"/v1/customers/ann/inbox?unread=true&limit=1&min_position={head}"
        answer = (await ask(app, "GET", target)).json()
    assert [message["message_id"] for message in answer["items"]] == ["b"]
    assert (answer["unread"], answer["next_cursor"], answer["stale"]) == (1, None, False)
