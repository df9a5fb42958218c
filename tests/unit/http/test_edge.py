"""Hosts, origins, and what every answer carries."""

import pytest
from litestar import get

from app.http.access import Unauthenticated, requires
from app.http.asgi import AnyScope
from app.http.edge import Edge
from app.kernel.principal import Principal
from tests.unit.http.asking import Answer, app_of, ask

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example.com"
CORS = "access-control-allow-origin"


@get("/v1/events", opt=requires("events:read"))
async def read() -> list[str]:
    return []


class ClosedGate:
    def believed(self, _scope: AnyScope) -> None:
        return None

    async def admit(self, _scope: AnyScope) -> Principal:
        raise Unauthenticated


async def asked(edge: Edge, target: str = "/v1/events", **headers: str) -> Answer:
    return await ask(app_of(read, edge=edge), "GET", target, b"", **headers)


async def test_pages_stand_in_no_frame() -> None:
    page = await ask(app_of(read), "GET", "/docs")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_browsers_are_told_to_come_by_tls_only_where_that_is_wanted() -> None:
    answer = await asked(Edge(hsts_max_age_s=3600))
    assert answer.headers["strict-transport-security"] == "max-age=3600; includeSubDomains"


@pytest.mark.parametrize("host", ["tidings.example", "Tidings.Example:8000", "[::1]:8000"])
async def test_a_host_that_is_allowed_is_served_whatever_its_port(host: str) -> None:
    edge = Edge(hosts=["tidings.example", "[::1]"])
    assert (await asked(edge, host=host)).status == 200


@pytest.mark.parametrize("host", ["other.example", "tidings.example.evil", "", "a b", "a/b", "a@b"])
async def test_a_host_that_is_not_allowed_is_refused_but_for_health(host: str) -> None:
    edge = Edge(hosts=["tidings.example"])
    answer = await asked(edge, host=host)
    assert (answer.status, answer.json()["field"]) == (400, "Host")
    assert (await asked(edge, "/health/live", host="10.0.0.7:8000")).status == 200
    assert (await asked(edge, host="10.0.0.7:8000")).status == 400
    assert (await asked(edge)).status == 400


async def test_a_page_of_an_origin_that_is_named_may_ask_and_read() -> None:
    edge = Edge(origins=[ORIGIN])
    answer = await asked(edge, origin=ORIGIN)
    assert answer.headers[CORS] == ORIGIN
    assert answer.headers["vary"] == "origin"
    assert "etag" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{ORIGIN}.evil", f"{ORIGIN}:444", "null", ""]
)
async def test_no_other_origin_may(origin: str) -> None:
    for edge in (Edge(origins=[ORIGIN]), Edge()):
        assert CORS not in (await asked(edge, origin=origin)).headers
        app = app_of(read, edge=edge, gate=ClosedGate())
        preflight = await ask(
            app, "OPTIONS", "/v1/events", origin=origin, access_control_request_method="GET"
        )
        assert CORS not in preflight.headers
        assert "access-control-allow-methods" not in preflight.headers


async def test_a_preflight_needs_no_credential() -> None:
    app = app_of(read, edge=Edge(origins=[ORIGIN]), gate=ClosedGate())
    answer = await ask(
        app, "OPTIONS", "/v1/events", origin=ORIGIN, access_control_request_method="GET"
    )
    assert answer.status == 204
    assert answer.headers[CORS] == ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert (await ask(app, "GET", "/v1/events", origin=ORIGIN)).status == 401
