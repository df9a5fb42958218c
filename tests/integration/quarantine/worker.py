"""An API process, as far as events that do not fit are concerned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore
from app.http.asgi import App
from app.kernel.clock import system_clock
from app.kernel.cursors import Cursors
from app.kernel.event import RecordedEvent
from app.modules.event_types.declared import EventTypes
from app.modules.event_types.routes import event_type_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.quarantine_routes import quarantine_routes
from app.modules.interactions.replay import Replay
from app.modules.interactions.routes import EventsEndpoint, event_routes
from app.security.commands import Commands
from tests.fixtures.access import AsStored
from tests.unit.http.asking import Answer, app_of, ask, post

SECRET = b"s" * 32
NUMBER = {"properties": {"n": {"type": "number"}}, "required": ["n"]}


@dataclass
class Worker:
    """An API process, as far as it matters here."""

    store: PostgresEventStore
    event_types: EventTypes
    quarantine: StoredQuarantine
    replay: Replay
    app: App

    async def send(self, body: Any, **headers: str) -> Answer:
        return await post(self.app, "/v1/events", msgspec.json.encode(body), **headers)

    async def declare(self, schema: Any, event_type: str = "Paid", **more: Any) -> Answer:
        body = msgspec.json.encode({"schema": schema, **more})
        return await ask(
            self.app, "PUT", f"/v1/event-types/{event_type}", body, content_type="application/json"
        )

    async def replayed(self, **wanted: Any) -> Any:
        answer = await post(self.app, "/v1/quarantine/replay", msgspec.json.encode(wanted))
        assert answer.status == 200, answer
        return answer.json()

    async def quarantined(self, query: str = "") -> Any:
        return (await ask(self.app, "GET", f"/v1/quarantine{query}")).json()["items"]

    async def recorded(self, customer_id: str = "ann") -> Sequence[RecordedEvent]:
        return await self.store.read_stream(f"activity-{customer_id}")


def worker_of(store: PostgresEventStore) -> Worker:
    codec = Codec(CATALOGUE)
    event_types = EventTypes(store, codec)
    quarantine = StoredQuarantine(store.pool)
    replay = Replay(store, quarantine, event_types, codec)
    intake = Intake(catalogue=CATALOGUE, secret=SECRET, clock=system_clock, event_types=event_types)
    endpoint = EventsEndpoint(store, intake, quarantine)
    commands = Commands(Executor(store, codec), SECRET)
    app = app_of(
        *event_routes(endpoint),
        *event_type_routes(commands, event_types, CATALOGUE),
        *quarantine_routes(quarantine, replay, AsStored(), Cursors(SECRET)),
        direct_routes={("POST", "/v1/events"): endpoint},
    )
    return Worker(store, event_types, quarantine, replay, app)


def paid(n: object, **more: Any) -> dict[str, Any]:
    return {"type": "Paid", "customer_id": "ann", "data": {"n": n}, **more}


def numbers(events: Sequence[RecordedEvent]) -> list[Any]:
    return [msgspec.json.decode(event.data)["n"] for event in events]
