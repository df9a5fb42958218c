"""Clients of a system that is being killed: they send until they are answered, and remember it."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fixtures.api import Answer, Api
from tests.fixtures.listener import Listener

CUSTOMERS = [f"customer-{number}" for number in range(8)]
COUNTED = "counted"
VISITORS = [f"visitor-{number}" for number in range(3)]
BATCH_EVENTS = 20
ASK_AGAIN_AFTER_S = 0.05
DEADLINE_S = 120


@dataclass
class Remembered:
    """What clients were told."""

    events: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    """By the sender's id: the position, and the event as it was sent."""
    commands: list[Any] = field(default_factory=list)
    """The answers to commands, one a key."""
    increments: int = 1
    visitors: dict[str, str] = field(default_factory=dict)
    """By the id of their identity."""
    stale_reads: list[str] = field(default_factory=list)


async def insist(api: Api, method: str, target: str, body: object = None, **headers: str) -> Answer:
    """Send the same request until it is answered; no answer, and 503, mean: unknown, send again.

    The answer comes from a command or events with ids, so that sending again is safe.
    """
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                answer = await api.send(method, target, body, **headers)
                if answer.status != 503 and not is_contended(answer):
                    return answer
            await asyncio.sleep(ASK_AGAIN_AFTER_S)


def is_contended(answer: Answer) -> bool:
    """Whether others were faster each time, so that nothing was recorded."""
    return answer.status == 409 and answer.code == "contention"


class Load:
    """Some clients of each kind, until they are told to stop; they finish what they are about."""

    def __init__(self, api: Api, seed: int) -> None:
        """Each client has a chance of its own, by the seed."""
        self._api = api
        self._seed = seed
        self._stop = asyncio.Event()
        self.remembered = Remembered()
        self.listener = Listener(api, CUSTOMERS[0], last_event_id=0)

    async def run(self) -> None:
        """Until `stop`."""
        clients = [
            *(self._send_events(number) for number in range(3)),
            *(self._send_commands(number) for number in range(len(VISITORS))),
            *(self._count(number) for number in range(2)),
            self._read_what_is_written(),
        ]
        first = {"traits": {"count": 1}}
        target = f"/v1/customers/{COUNTED}/change-traits"
        self._remember(
            (await insist(self._api, "POST", target, first, Idempotency_Key="count")).json()
        )
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client)

    def stop(self) -> None:
        """Let each client come to an end."""
        self._stop.set()

    async def _send_events(self, number: int) -> None:
        """Events with ids, alone and in batches."""
        chance = random.Random(f"{self._seed} events {number}")
        sent = 0
        while not self._stop.is_set():
            events = [
                self._event(chance, f"{number}-{sent + offset}")
                for offset in range(chance.choice([1, 1, BATCH_EVENTS]))
            ]
            sent += len(events)
            alone = len(events) == 1 and chance.random() < 0.8
            await self._record(events[0] if alone else events, events)

    async def _record(self, body: object, events: Sequence[Mapping[str, Any]]) -> None:
        answer = await insist(self._api, "POST", "/v1/events", body)
        assert answer.status in {200, 201}, answer
        outcomes = answer.json() if isinstance(body, list) else [answer.json()]
        for event, outcome in zip(events, outcomes, strict=True):
            assert outcome["outcome"] in {"recorded", "repeated"}, outcome
            self.remembered.events[event["id"]] = (outcome["position"], event)

    @staticmethod
    def _event(chance: random.Random, sent_id: str) -> dict[str, Any]:
        whose = (
            {"anonymous_id": chance.choice(VISITORS)}
            if chance.random() < 0.2
            else {"customer_id": chance.choice(CUSTOMERS)}
        )
        return {"id": sent_id, "type": "Product Added", "data": {"id": sent_id}, **whose}

    async def _send_commands(self, number: int) -> None:
        """Commands under keys: to the same customers as everybody's, but a visitor of its own."""
        chance = random.Random(f"{self._seed} commands {number}")
        visitor = {"kind": "anonymous", "value": VISITORS[number]}
        linked_to: str | None = None
        sent = 0
        while not self._stop.is_set():
            sent += 1
            customer_id = chance.choice(CUSTOMERS)
            topic = {"channel": "email", "topic": chance.choice(["news", "offers"])}
            command, body = chance.choice(
                [
                    ("change-traits", {"traits": {f"trait-{number}": sent}}),
                    ("record-consent", topic),
                    ("withdraw-consent", topic),
                    ("link", visitor),
                ]
            )
            if command == "link":
                command = "unlink-identity" if linked_to else "link-identity"
                customer_id = linked_to or customer_id
                linked_to = None if linked_to else customer_id
            answer = await insist(
                self._api,
                "POST",
                f"/v1/customers/{customer_id}/{command}",
                body,
                Idempotency_Key=f"command-{number}-{sent}",
            )
            assert answer.status == 200, answer
            self._remember(answer.json(), visitor=f"~{VISITORS[number]}")

    def _remember(self, answer: Any, *, visitor: str | None = None) -> None:
        self.remembered.commands.append(answer)
        for event in answer["events"]:
            if visitor and event["stream"].startswith("identity-"):
                self.remembered.visitors[event["stream"].removeprefix("identity-")] = visitor

    async def _count(self, number: int) -> None:
        """Read, add one, write if nobody else has: no update may be lost."""
        stream = f"/v1/streams/customer-{COUNTED}?limit=1000&after="
        count = sent = 0
        while not self._stop.is_set():
            sent += 1
            # Each change adds one, so that the count is the stream's version, too.
            while newer := (await insist(self._api, "GET", f"{stream}{count}", None)).json()[
                "items"
            ]:
                count = newer[-1]["data"]["traits"]["count"]
                assert count == newer[-1]["version"]
            answer = await insist(
                self._api,
                "POST",
                f"/v1/customers/{COUNTED}/change-traits",
                {"traits": {"count": count + 1}},
                If_Match=f'"{count}"',
                Idempotency_Key=f"count-{number}-{sent}",
            )
            assert answer.status in {200, 412}, answer
            if answer.status == 200:
                self.remembered.increments += 1
                self._remember(answer.json())

    async def _read_what_is_written(self) -> None:
        """Write, then read with `min_position`: what was written is there."""
        sent = 0
        while not self._stop.is_set():
            sent += 1
            sent_id = f"read-{sent}"
            event = {"type": "Seen", "customer_id": "reader", "data": {"id": sent_id}}
            await self._record(event | {"id": sent_id}, [event | {"id": sent_id}])
            position, _ = self.remembered.events[sent_id]
            target = f"/v1/customers/reader/timeline?limit=1&min_position={position}"
            answer = await insist(self._api, "GET", target, None)
            assert answer.status == 200, answer
            if answer.json()["items"][0]["position"] != position:
                self.remembered.stale_reads.append(sent_id)
