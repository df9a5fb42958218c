"""All that the API answers to whoever reads: by every route that there is."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.bootstrap.projections import PROJECTION_NAMES
from tests.faults.canaries import Customer
from tests.fixtures.api import Api
from tests.fixtures.routes import documented_routes

AT_ONCE = 10
LIVE_FOR_S = 20
OF_HOW_MANY_THE_PAST = 5
"""It takes long to ask for."""
READ = {200, 403, 404}
"""Not every key may read everything, and not everybody is there."""

COMMON = (
    *("/", "/docs", "/health/live", "/health/ready", "/metrics", "/openapi.json"),
    *("/v1/activity-counts", "/v1/audit?limit=200", "/v1/customers?limit=200", "/v1/event-types"),
    *("/v1/event-types/Signed", "/v1/events?limit=1000", "/v1/keys", "/v1/projections"),
    *(f"/v1/projections/{name}/parked" for name in PROJECTION_NAMES),
    "/v1/quarantine?limit=100",
    *("/v1/reactions", "/v1/timers?limit=1000", "/v1/drivers/nobody/offers?limit=100"),
    "/v1/cases?limit=200",
    *("/v1/carts/none", "/v1/orders/none", "/v1/payments/none", "/v1/inventory/none"),
    *("/v1/rules", "/v1/rules/greet", "/v1/templates/greeting", "/v1/engagement/settings"),
    *("/v1/engagement?limit=100", "/v1/reaction-times", "/v1/messages?limit=1000"),
)
ABOUT_RULES = ("message.", "decision.", "offer.")
"""Of events that rules led to: how it came to them is asked, too."""


def _targets_of_past(customer: Customer, head: int) -> list[str]:
    path = f"/v1/customers/{customer.id}"
    return [
        *(f"{path}?as_of={head}", f"{path}/timeline?limit=200&as_of={head}"),
        f"{path}/diff?from=1&to={head}",
    ]


def _targets(customer: Customer) -> list[str]:
    path, visitor = f"/v1/customers/{customer.id}", f"/v1/customers/~{customer.visitor}"
    return [
        *(path, f"{path}/visits", f"{path}/timeline?limit=200", f"{path}/inbox?limit=200"),
        *(f"{path}/decisions?limit=200", f"{path}/offers?limit=200", f"{path}/suppressions"),
        f"/v1/rules/greet/why-not?customer_id={customer.id}",
        *(f"{path}/export", visitor, f"{visitor}/timeline?limit=200", f"{visitor}/export"),
        f"/v1/customers?identity=email:{customer.email}",
        *(f"/v1/streams/{kind}-{customer.id}" for kind in ("activity", "customer", "export")),
        f"/v1/streams/activity-~{customer.visitor}",
    ]


def _targets_of_rules(log: Sequence[Mapping[str, Any]], whose: set[str]) -> list[str]:
    led_to = [
        event
        for event in log
        if event["customer_id"] in whose and event["type"].startswith(ABOUT_RULES)
    ]
    messages = {event["stream"] for event in led_to if event["type"].startswith("message.")}
    return [
        *(f"/v1/events/{event['event_id']}/why" for event in led_to),
        *(f"/v1/messages/{stream.removeprefix('message-')}" for stream in sorted(messages)),
    ]


async def all_answers(api: Api, everybody: Sequence[Customer]) -> bytes:
    """The bodies, of all pages, to all that can be asked of these customers and in general."""
    log = await api.log()
    head, reader = log[-1]["position"], _Reader(api)
    past = everybody[:OF_HOW_MANY_THE_PAST]
    await asyncio.gather(
        *(reader.read(_targets(each)) for each in everybody),
        *(reader.read(_targets_of_past(each, head)) for each in past),
        reader.read(COMMON),
        reader.read(_targets_of_rules(log, {each.id for each in past})),
    )
    await reader.listen(everybody[0])
    await reader.look_in(f"/v1/customers/{everybody[0].id}/inbox/live")
    await reader.look_in("/v1/drivers/nobody/offers/live")
    reader.check_complete()
    return b"\n".join(reader.bodies)


class _Reader:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._free = asyncio.Semaphore(AT_ONCE)
        self._asked: set[str] = set()
        self.bodies: list[bytes] = []

    async def read(self, targets: Iterable[str]) -> None:
        """Every page."""
        async with self._free:
            for target in targets:
                cursor: str | None = ""
                while cursor is not None:
                    cursor = await self._page(target, cursor)

    async def _page(self, target: str, cursor: str) -> str | None:
        path, _, query = target.partition("?")
        self._asked.add(path)
        parameters = "&".join(filter(None, (query, cursor and f"cursor={cursor}")))
        answer = await self._api.get(f"{path}?{parameters}".rstrip("?"))
        assert answer.status in READ, (target, answer)
        self.bodies.append(answer.body)
        if answer.headers["content-type"] != "application/json":
            return None
        next_cursor: str | None = answer.json().get("next_cursor")
        return next_cursor

    async def listen(self, customer: Customer) -> None:
        """All that a live stream tells of what was."""
        path = f"/v1/customers/{customer.id}/timeline/live"
        self._asked.add(path)
        log = await self._api.log()
        last = max(event["position"] for event in log if event["customer_id"] == customer.id)
        url, read = self._api.url + path, b""
        async with (
            asyncio.timeout(LIVE_FOR_S),
            self._api.session.get(url, headers={"Last-Event-ID": "0"}) as response,
        ):
            while not read.startswith(b"id: %d\n" % last):
                read = await response.content.readuntil(b"\n\n")
                self.bodies.append(read)

    async def look_in(self, path: str) -> None:
        """A live stream that there is nothing to tell of."""
        self._asked.add(path)
        async with (
            asyncio.timeout(LIVE_FOR_S),
            self._api.session.get(self._api.url + path) as response,
        ):
            self.bodies.append(await response.content.readuntil(b"\n\n"))

    def check_complete(self) -> None:
        """No route that reads was left out."""
        for route in documented_routes():
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path))
            is_asked = any(re.fullmatch(pattern, path) for path in self._asked)
            assert is_asked or route.method != "GET", route
