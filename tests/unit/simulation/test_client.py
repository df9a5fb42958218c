"""How the client takes what an API answers, or fails to."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat

import aiohttp
import pytest
from aiohttp import web

from app.simulation.client import ApiUnavailable, Client, Outcome
from app.simulation.crowd import person_of
from app.simulation.messages import Command, Event, Message

pytestmark = pytest.mark.anyio

PERSON = person_of(1, 1)
EVENT = Message(PERSON, Event("id-1", "Order Placed", {}, customer_id=PERSON.customer_id))
COMMAND = Message(PERSON, Command("register", {"traits": {}}, "key-1"))
Answers = Iterator[tuple[int, object]]


@asynccontextmanager
async def api_that_answers(*answers: tuple[int, object]) -> AsyncIterator[Client]:
    """A server that gives these answers in turn, and the last one for ever; and its client."""
    following: Answers = chain(answers, repeat(answers[-1]))

    async def answer(_request: web.Request) -> web.Response:
        status, body = next(following)
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            yield Client(session, f"http://127.0.0.1:{port}/", retry_seconds=0.5)
    finally:
        await runner.cleanup()


RECORDED = {"outcome": "recorded", "position": 1}
REPEATED = {"outcome": "repeated", "position": 1}
PROBLEM = {"title": "Used", "detail": "the key was used before"}


@pytest.mark.parametrize(
    ("message", "status", "body", "outcome"),
    [
        (EVENT, 201, RECORDED, Outcome("recorded")),
        (EVENT, 200, REPEATED, Outcome("repeated")),
        (
            EVENT,
            202,
            {"outcome": "quarantined", "repeated": False},
            Outcome("rejected", "it does not fit the schema of its type; quarantined"),
        ),
        (EVENT, 422, PROBLEM, Outcome("rejected", "Order Placed: the key was used before")),
        (EVENT, 500, "?", Outcome("rejected", "Order Placed: status 500")),
        (COMMAND, 200, {"events": [{}], "repeated": False}, Outcome("recorded")),
        (COMMAND, 200, {"events": [{}], "repeated": True}, Outcome("repeated")),
        (
            COMMAND,
            409,
            {**PROBLEM, "type": "urn:tidings:problem:ride-taken"},
            Outcome("rejected", "register: the key was used before", "ride-taken"),
        ),
    ],
)
async def test_an_answer_has_its_outcome(
    message: Message, status: int, body: object, outcome: Outcome
) -> None:
    async with api_that_answers((status, body)) as client:
        assert await client.send(message) == outcome


async def test_a_busy_api_is_asked_again() -> None:
    async with api_that_answers((503, PROBLEM), (503, "?"), (201, RECORDED)) as client:
        assert await client.send(EVENT) == Outcome("recorded")


async def test_an_api_that_stays_busy_is_given_up() -> None:
    async with api_that_answers((503, PROBLEM)) as client:
        with pytest.raises(ApiUnavailable, match=r"within 0.5 s: the key was used before"):
            await client.send(EVENT)


async def test_each_event_of_a_batch_has_its_outcome() -> None:
    rejected = {"outcome": "rejected", "problem": PROBLEM}
    async with api_that_answers((200, [RECORDED, rejected, REPEATED])) as client:
        assert await client.send_events([EVENT] * 3) == [
            Outcome("recorded"),
            Outcome("rejected", "the key was used before"),
            Outcome("repeated"),
        ]


@pytest.mark.parametrize(("status", "body"), [(404, "?"), (200, "?"), (200, {"status": "fine"})])
async def test_something_else_that_answers_is_not_taken_for_the_api(
    status: int, body: object
) -> None:
    async with api_that_answers((status, body)) as client:
        with pytest.raises(ApiUnavailable, match="is not the API of Tidings"):
            await client.check()


async def test_an_api_that_is_starting_is_waited_for() -> None:
    live, starting, ready = {"status": "live"}, {"status": "not ready"}, {"status": "ready"}
    async with api_that_answers((200, live), (503, starting), (200, ready)) as client:
        await client.check()


async def test_the_beginning_of_an_unknown_stream_is_not_known() -> None:
    async with api_that_answers((404, PROBLEM)) as client:
        assert await client.first_event_at("activity-~nobody") is None


async def test_a_command_that_others_were_faster_than_is_sent_again() -> None:
    contention = {**PROBLEM, "type": "urn:tidings:problem:contention"}
    done = {"events": [{}], "repeated": False}
    async with api_that_answers((409, contention), (200, done)) as client:
        assert await client.send(COMMAND) == Outcome("recorded")


async def test_the_first_event_of_some_types_is_found() -> None:
    items = [{"type": each, "occurred_at": "2026-03-01T00:00:00Z"} for each in ("a", "b", "c")]
    async with api_that_answers((200, {"items": items})) as client:
        assert await client.first_type("ride-1", {"c", "b"}) == "b"
        assert await client.first_type("ride-1", {"d"}) is None


async def test_what_is_not_there_is_looked_for_in_vain() -> None:
    async with api_that_answers((404, PROBLEM)) as client:
        assert await client.look("/v1/orders/1") is None
        assert await client.first_type("order-1", {"order.placed"}) is None
