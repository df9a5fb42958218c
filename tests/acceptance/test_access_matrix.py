"""Each route, asked with each kind of credential, answers as the reference declares it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from uuid import uuid4

import pytest
from yarl import URL

from app.kernel.principal import SCOPES
from app.security.api_key import new_api_key
from tests.fixtures.api import JSON, Api
from tests.fixtures.routes import Route, documented_routes

pytestmark = pytest.mark.anyio

ROUTES = documented_routes()
LIFETIME_S = 1
LET_IN = {200, 201, 202, 204, 302, 307, 400, 404, 409, 410}
"""What somebody is answered who was let in: what is asked for here is often not there."""

PARTS: Mapping[str, Callable[[], str]] = {
    "{customer_id}": lambda: f"customer-of-{uuid4()}",
    "{message_id}": lambda: "nothing-of-the-kind",
    "{stream}": lambda: "nothing-of-the-kind",
    "{name}": lambda: "nothing-of-the-kind",
    "{key_id}": lambda: "3kTMd1AqzX0b",
    "{event_type}": lambda: "nothing-of-the-kind",
    "{event_id}": lambda: str(uuid4()),
    "{ride_id}": lambda: f"ride-of-{uuid4()}",
    "{driver_id}": lambda: "nobody-who-drives",
    "{question_id}": lambda: f"question-{uuid4()}",
    "{transaction_id}": lambda: "nothing-of-the-kind",
    "{card_id}": lambda: "nothing-of-the-kind",
    "{account_id}": lambda: "nothing-of-the-kind",
    "{case_id}": lambda: "nothing-of-the-kind",
    "{cart_id}": lambda: f"cart-{uuid4()}",
    "{playback_id}": lambda: f"playback-{uuid4()}",
    "{subscription_id}": lambda: f"subscription-{uuid4()}",
    "{order_id}": lambda: f"order-of-{uuid4()}",
    "{payment_id}": lambda: f"payment-of-{uuid4()}",
    "{channel}": lambda: "email",
    "{offer_id}": lambda: f"offer-of-{uuid4()}",
    "{sku}": lambda: f"thing-of-{uuid4()}",
}
"""Of paths, and what stands there: nothing that any other test would miss."""

Keys = Mapping[str, str]
"""API keys by what they are."""


class Column(NamedTuple):
    """A kind of credential, and what whoever sends it is answered where a scope is asked for."""

    name: str
    authorization: Callable[[Route, Keys], str | None]
    refused: Callable[[Route], int | None]
    """The status; None: it is let in."""


def bearer(name: str) -> Callable[[Route, Keys], str]:
    return lambda _route, keys: f"Bearer {keys[name]}"


def always(status: int | None) -> Callable[[Route], int | None]:
    return lambda _route: status


COLUMNS = [
    Column("no key", lambda _route, _keys: None, always(401)),
    Column("junk", lambda _route, _keys: "Bearer junk", always(401)),
    Column("no Base64", lambda _route, _keys: "Basic !", always(401)),
    Column("a bad checksum", bearer("bad checksum"), always(401)),
    Column("of another environment", bearer("other environment"), always(401)),
    Column("of another store", bearer("other store"), always(401)),
    Column("expired", bearer("expired"), always(401)),
    Column("revoked", bearer("revoked"), always(401)),
    Column("another customer's token", bearer("another customer's token"), always(403)),
    Column(
        "all scopes but the right one",
        lambda route, keys: f"Bearer {keys[f'without {route.scope}']}",
        always(403),
    ),
    Column(
        "the right scope alone",
        lambda route, keys: f"Bearer {keys[f'with {route.scope}']}",
        always(None),
    ),
]
"""Another kind of credential is one column more; what it takes is made in `made_keys`."""


async def made_keys(api: Api) -> Keys:
    async def made(name: str, scopes: list[str], **more: object) -> str:
        asked = {"name": f"matrix {name} {uuid4()}".replace(":", " "), "scopes": scopes, **more}
        answer = await api.post("/v1/keys", asked)
        assert answer.status == 201, answer
        key: str = answer.json()["key"]
        return key

    keys = {
        "expired": await made("expired", ["*"], expires_in_s=LIFETIME_S),
        "revoked": await made("revoked", ["*"]),
        "other environment": new_api_key("other").text,
        "other store": new_api_key("live").text,
        "with None": await made("with one", ["pii:read"]),
        "without None": await made("without any", ["pii:read"]),
    }
    token = await api.post(f"/v1/customers/customer-of-{uuid4()}/tokens", {})
    keys["another customer's token"] = token.json()["token"]
    right = keys["revoked"]
    keys["bad checksum"] = right[:-1] + ("0" if right[-1] != "0" else "1")
    for scope in SCOPES:
        keys[f"with {scope}"] = await made(scope, [scope])
        keys[f"without {scope}"] = await made(f"not {scope}", [s for s in SCOPES if s != scope])
    assert (await api.post(f"/v1/keys/{right.split('_')[2]}/revoke", {})).status == 204
    await asyncio.sleep(LIFETIME_S)
    return keys


def forms_of(route: Route) -> Iterator[tuple[str, str]]:
    """The ways to ask: a query leads hot routes another way through the server."""
    path = route.path
    for part, value in PARTS.items():
        path = path.replace(part, value())
    assert "{" not in path, f"say in PARTS what stands in {path}"
    yield route.method, path
    yield route.method, f"{path}?no_such_parameter=1"
    if route.method == "GET":
        yield "HEAD", path


async def status_of(api: Api, method: str, target: str, authorization: str | None) -> int:
    """That of the answer, whose body may never end."""
    headers = {"Authorization": authorization} if authorization else {}
    body = None if method in {"GET", "HEAD"} else b"{}"
    async with api.session.request(
        method,
        URL(api.url + target, encoded=True),
        data=body,
        headers=headers | (JSON if body else {}),
        skip_auto_headers=(),
        allow_redirects=False,
    ) as response:
        return response.status


async def test_every_route_answers_every_kind_of_credential_as_declared(api: Api) -> None:
    keys = await made_keys(api)
    api.session.headers.pop("Authorization")  # every request brings its own, or none
    wrong: list[str] = []
    for route in ROUTES:
        for column in COLUMNS:
            refused = column.refused(route) if route.scope else 401 if route.signed else None
            for method, target in forms_of(route):
                status = await status_of(api, method, target, column.authorization(route, keys))
                if status not in ({refused} if refused else LET_IN):
                    wrong.append(f"{method} {target} with {column.name}: {status}")
    assert wrong == []
    assert len(ROUTES) > 25


async def test_every_operation_of_the_document_is_in_the_matrix(api: Api) -> None:
    document = await api.read("/openapi.json")
    operations = {
        (method.upper(), path, operation.get("security", [{"ApiKey": [None]}])[0]["ApiKey"][0])
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert operations <= {route[:3] for route in ROUTES}
