"""Commands to customers over HTTP, on a store in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from app.eventstore.codec import Codec
from app.eventstore.execute import Executor
from app.eventstore.memory import InMemoryEventStore
from app.http.app import create_app
from app.http.limits import Allowance
from app.http.metrics import Metrics
from app.kernel.event import EventCatalogue
from app.modules.customers.events import REGISTERED
from app.modules.customers.routes import customer_routes
from app.security.commands import MAX_COMMAND_BYTES, Commands
from tests.controls import customers as anna
from tests.fixtures.access import ANYBODY, OpenGate
from tests.fixtures.identities import InMemoryIdentities
from tests.unit.http.asking import Only

pytestmark = pytest.mark.anyio

MAX_EVENTS_PER_S = 1_000
NEWS = {"channel": "email", "topic": "news"}
EMAIL = {"kind": "email", "value": anna.EMAIL}


@dataclass
class Api:
    """A client, and the log behind it."""

    http: httpx.AsyncClient
    store: InMemoryEventStore
    allowance: Allowance

    async def send(
        self, command: str, body: Any, *, customer_id: str = anna.ANNA, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/v1/customers/{customer_id}/{command}"
        return await self.http.post(path, json=body, headers=named)

    async def log(self) -> list[tuple[str, str | None, Any]]:
        events = await self.store.read_log(after=0, limit=1000)
        return [(e.type, e.customer_id, msgspec.json.decode(e.data)) for e in events]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    store = InMemoryEventStore()
    executor = Executor(store, Codec(EventCatalogue(REGISTERED)))
    routes = customer_routes(Commands(executor, b"secret"), InMemoryIdentities())
    allowance = Allowance(0, MAX_EVENTS_PER_S)
    app: Any = create_app(
        routes, version="0", metrics=Metrics(), gate=OpenGate(), limits=Only(allowance)
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Api(http, store, allowance)


async def test_each_command_records_its_event_on_the_customers_timeline(api: Api) -> None:
    for command, body in (
        ("register", {"traits": anna.TRAITS}),
        ("change-traits", {"traits": {"plan": "pro", "name": None}}),
        ("record-consent", NEWS),
        ("withdraw-consent", NEWS),
    ):
        assert (await api.send(command, body)).status_code == 200
    assert await api.log() == [
        ("customer.registered", anna.ANNA, {"traits": anna.TRAITS}),
        ("customer.traits_changed", anna.ANNA, {"traits": {"plan": "pro", "name": None}}),
        ("customer.consent_recorded", anna.ANNA, NEWS),
        ("customer.consent_withdrawn", anna.ANNA, NEWS),
    ]


async def test_the_answer_says_what_was_recorded_and_where(api: Api) -> None:
    await api.send("register", {})
    response = await api.send("change-traits", {"traits": anna.UPGRADE})
    assert response.headers["etag"] == '"2"'
    assert response.headers["content-type"] == "application/json"
    (recorded,) = await api.store.read_stream("customer-anna", after_version=1)
    event = {
        "event_id": str(recorded.event_id),
        "type": "customer.traits_changed",
        "stream": "customer-anna",
        "version": 2,
        "position": 2,
    }
    assert response.json() == {
        "stream": "customer-anna",
        "version": 2,
        "position": 2,
        "events": [event],
        "repeated": False,
    }


async def test_nothing_to_do_is_answered_without_events(api: Api) -> None:
    await api.send("record-consent", NEWS)
    response = await api.send("record-consent", NEWS)
    assert response.status_code == 200
    assert response.headers["etag"] == '"1"'
    assert response.json()["events"] == []


async def test_a_customer_registers_without_traits(api: Api) -> None:
    assert (await api.send("register", {})).status_code == 200
    assert await api.log() == [("customer.registered", anna.ANNA, {"traits": {}})]


async def test_registering_twice_is_refused(api: Api) -> None:
    await api.send("register", {})
    response = await api.send("register", {})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:tidings:problem:already-registered"


async def test_linking_records_on_the_customers_and_on_the_identitys_stream(api: Api) -> None:
    response = await api.send("link-identity", EMAIL)
    (linked, claimed) = await api.log()
    identity_id = linked[2]["identity_id"]
    assert linked == (
        "customer.identity_linked",
        anna.ANNA,
        {"identity_id": identity_id, "kind": "email"},
    )
    assert claimed == ("identity.claimed", None, {"customer_id": anna.ANNA})
    assert [event["stream"] for event in response.json()["events"]] == [
        "customer-anna",
        f"identity-{identity_id}",
    ]
    assert response.json()["position"] == 2


async def test_no_value_of_an_identity_reaches_the_log(api: Api) -> None:
    await api.send("link-identity", EMAIL)
    await api.send("link-identity", {"kind": "phone", "value": anna.PHONE})
    await api.send("unlink-identity", EMAIL)
    log = msgspec.json.encode(await api.store.read_log(after=0, limit=100)).lower()
    assert b"berg" not in log
    assert b"0143" not in log


async def test_an_identity_of_another_customer_is_refused_and_nothing_recorded(api: Api) -> None:
    await api.send("link-identity", EMAIL)
    response = await api.send(
        "link-identity", {"kind": "email", "value": anna.SAME_EMAIL}, customer_id=anna.BORIS
    )
    assert response.status_code == 409
    assert response.json()["type"] == "urn:tidings:problem:identity-taken"
    assert len(await api.log()) == 2


async def test_an_identity_unlinked_may_be_linked_to_another_customer(api: Api) -> None:
    await api.send("link-identity", EMAIL)
    assert (await api.send("unlink-identity", EMAIL)).json()["version"] == 2
    assert (await api.send("link-identity", EMAIL, customer_id=anna.BORIS)).status_code == 200
    assert [entry[0] for entry in await api.log()] == [
        "customer.identity_linked",
        "identity.claimed",
        "customer.identity_unlinked",
        "identity.released",
        "customer.identity_linked",
        "identity.claimed",
    ]


async def test_unlinking_what_is_not_linked_is_nothing(api: Api) -> None:
    await api.send("link-identity", EMAIL)
    for body, customer_id in (({**EMAIL, "value": "x@example.org"}, "anna"), (EMAIL, "boris")):
        response = await api.send("unlink-identity", body, customer_id=customer_id)
        assert response.status_code == 200
        assert response.json()["events"] == []
    assert len(await api.log()) == 2


async def test_a_repeat_under_the_same_key_is_answered_with_the_original(api: Api) -> None:
    first = await api.send("register", {"traits": anna.TRAITS}, Idempotency_Key="signup-1")
    again = await api.send("register", {"traits": anna.TRAITS}, Idempotency_Key="signup-1")
    assert again.status_code == 200
    assert again.json() == {**first.json(), "repeated": True}
    assert again.headers["etag"] == first.headers["etag"]
    assert len(await api.log()) == 1


async def test_a_repeated_link_is_answered_with_both_its_events(api: Api) -> None:
    first = await api.send("link-identity", EMAIL, Idempotency_Key="link-1")
    again = await api.send("link-identity", EMAIL, Idempotency_Key="link-1")
    assert again.json() == {**first.json(), "repeated": True}


async def test_another_request_under_the_same_key_is_refused(api: Api) -> None:
    await api.send("record-consent", NEWS, Idempotency_Key="k")
    for command, body, customer_id in (
        ("record-consent", {**NEWS, "topic": "offers"}, "anna"),
        ("withdraw-consent", NEWS, "anna"),
        ("record-consent", NEWS, "boris"),
    ):
        response = await api.send(command, body, customer_id=customer_id, Idempotency_Key="k")
        assert response.status_code == 422
        assert response.json()["type"] == "urn:tidings:problem:idempotency-conflict"
    assert len(await api.log()) == 1


async def test_preferences_are_recorded_together(api: Api) -> None:
    said = {"consents": [{**NEWS, "given": True}, {**NEWS, "topic": "offers", "given": False}]}
    response = await api.send("preferences", said, Idempotency_Key="k")
    assert response.headers["etag"] == '"2"'
    assert await api.log() == [
        ("customer.consent_recorded", anna.ANNA, NEWS),
        ("customer.consent_withdrawn", anna.ANNA, {**NEWS, "topic": "offers"}),
    ]
    again = await api.send("preferences", said, Idempotency_Key="k")
    assert again.json() == {**response.json(), "repeated": True}


async def test_a_stale_if_match_is_refused(api: Api) -> None:
    await api.send("register", {}, If_Match='"0"')
    stale = await api.send("change-traits", {"traits": anna.UPGRADE}, If_Match='"0"')
    assert stale.status_code == 412
    current = await api.send("change-traits", {"traits": anna.UPGRADE}, If_Match='"1"')
    assert current.status_code == 200


async def test_where_a_command_came_from_stands_in_the_events_metadata(api: Api) -> None:
    await api.send(
        "register",
        {},
        X_Request_Id="request-1",
        X_Correlation_Id="chain-1",
        X_Causation_Id="cause-1",
    )
    (event,) = await api.store.read_log(after=0, limit=1)
    assert msgspec.json.decode(event.metadata) == {
        "correlation_id": "chain-1",
        "causation_id": "cause-1",
        "actor": ANYBODY.actor,
        "source": "default",
        "request_id": "request-1",
    }


@pytest.mark.parametrize(
    ("command", "body", "field"),
    [
        ("register", {"traits": []}, "traits"),
        ("register", {"trait": {}}, "trait"),
        ("register", [], ""),
        ("change-traits", {}, "traits"),
        ("change-traits", {"traits": {"": 1}}, "traits"),
        ("change-traits", {"traits": {"x" * 101: 1}}, "traits"),
        ("change-traits", {"traits": {"a\nb": 1}}, "traits"),
        ("change-traits", {"traits": {"$tidings": 1}}, "traits.$tidings"),
        ("change-traits", {"traits": {"a": [{"$tidings_x": 1}]}}, "traits.a[0].$tidings_x"),
        ("record-consent", {"channel": "email"}, "topic"),
        ("record-consent", {**NEWS, "channel": "E-Mail"}, "channel"),
        ("record-consent", {**NEWS, "topic": "news\n"}, "topic"),
        ("record-consent", {**NEWS, "topic": "x" * 65}, "topic"),
        ("record-consent", {**NEWS, "topic": 5}, "topic"),
        ("withdraw-consent", {**NEWS, "topic": "-"}, "topic"),
        ("withdraw-consent", {**NEWS, "why": "x"}, "why"),
        ("preferences", {"consents": []}, "consents"),
        ("preferences", {"consents": [{**NEWS, "given": 1}]}, "consents[0].given"),
        ("preferences", {"consents": [NEWS]}, "consents[0].given"),
        ("preferences", {"consents": [{**NEWS, "given": True, "a": 1}]}, "consents[0].a"),
        ("preferences", {"consents": [{**NEWS, "given": True}] * 2}, "consents[1]"),
        (
            "preferences",
            {"consents": [{"channel": "sms", "topic": f"t{n}", "given": True} for n in range(101)]},
            "consents",
        ),
        ("link-identity", {"kind": "fax", "value": "1"}, "kind"),
        ("link-identity", {"kind": "email", "value": "anna"}, "value"),
        ("unlink-identity", {"kind": "phone", "value": "5"}, "value"),
        ("unlink-identity", {"kind": "phone"}, "value"),
    ],
)
async def test_bad_input_is_refused_by_field_and_nothing_recorded(
    api: Api, command: str, body: Any, field: str
) -> None:
    response = await api.send(command, body)
    assert response.status_code == 400, response.text
    assert response.json().get("field", "") == field
    assert await api.log() == []


@pytest.mark.parametrize("customer_id", ["~visitor", "x" * 201, "%2e%2e", "a%3fb", "a%25"])
@pytest.mark.parametrize(
    ("command", "body"),
    [("register", {}), ("link-identity", EMAIL), ("unlink-identity", EMAIL)],
)
async def test_what_is_no_customer_id_is_refused(
    api: Api, customer_id: str, command: str, body: Any
) -> None:
    response = await api.send(command, body, customer_id=customer_id)
    assert response.status_code == 400, response.text
    assert response.json()["field"] == "customer_id"
    assert await api.log() == []


async def test_a_body_larger_than_an_event_may_be_is_refused(api: Api) -> None:
    response = await api.send("register", {"traits": {"a": "x" * MAX_COMMAND_BYTES}})
    assert response.status_code == 413


async def test_the_commands_are_documented_with_an_example_each(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    for name in (
        "register",
        "change-traits",
        "record-consent",
        "withdraw-consent",
        "link-identity",
        "unlink-identity",
    ):
        operation = document["paths"][f"/v1/customers/{{customer_id}}/{name}"]["post"]
        assert operation["summary"]
        assert operation["description"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        assert (await api.send(name, example)).status_code == 200
        assert operation["responses"]["200"]["content"]["application/json"]["examples"]


async def test_commands_count_as_the_events_that_they_record_and_at_least_as_one(api: Api) -> None:
    assert api.allowance.events is not None
    consents = [{"channel": "email", "topic": f"t{n}", "given": True} for n in range(3)]
    for body, counted in (({"consents": consents}, 3), ({"consents": consents}, 1)):
        before = api.allowance.events.asked
        assert (await api.send("preferences", body)).status_code == 200
        assert api.allowance.events.asked - before == counted

    api.allowance.owe_events(2 * MAX_EVENTS_PER_S)
    refused = await api.send("register", {"traits": {}})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert len(await api.log()) == 3
