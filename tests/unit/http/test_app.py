"""The app around the routes: ids, problems for what is routed nowhere, HEAD, direct routes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, get, post
from litestar.params import FromPath
from litestar.testing import TestClient
from structlog.testing import capture_logs

from app.http.access import Unauthenticated, requires
from app.http.app import create_app
from app.http.asgi import AnyScope, Receive, Scope, Send, respond
from app.http.metrics import Metrics
from app.kernel.errors import NotFound, StoreUnavailable
from app.kernel.principal import Principal
from tests.fixtures.access import OpenGate
from tests.unit.http.asking import app_of, ask, scope_of

pytestmark = pytest.mark.anyio


@get("/v1/customers/{customer_id:str}")
async def show_customer(customer_id: FromPath[str]) -> dict[str, str]:
    return {"id": customer_id}


@get("/v1/customers/{customer_id:str}/timeline")
async def show_timeline(customer_id: FromPath[str]) -> None:
    raise NotFound(f"no customer {customer_id}")


@post("/v1/broken")
async def break_down() -> None:
    raise RuntimeError("the password is hunter2")


@post(["/v1/events", "/v1/down", "/v1/for-ever"])
async def document_direct_routes() -> None:
    raise AssertionError("the direct route stands before this")


@get("/v1/half")
async def document_what_breaks_off() -> None:
    raise AssertionError("the direct route stands before this")


async def ingest(_scope: Scope, _receive: Receive, send: Send) -> None:
    await respond(send, 201, [(b"content-type", b"application/json")], b"{}")


async def ingest_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise StoreUnavailable


async def wait_for_ever(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


async def break_off(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("too late")


app = app_of(
    *(show_customer, show_timeline, break_down, document_direct_routes, document_what_breaks_off),
    direct_routes={
        ("POST", "/v1/events"): ingest,
        ("POST", "/v1/down"): ingest_nothing,
        ("POST", "/v1/for-ever"): wait_for_ever,
        ("GET", "/v1/half"): break_off,
    },
)


async def test_every_answer_carries_the_requests_id() -> None:
    for method, target in [
        ("GET", "/v1/customers/ada"),
        ("GET", "/nowhere"),
        ("POST", "/v1/events"),
        ("POST", "/v1/broken"),
        ("GET", "/v1/customers/%ff"),
        ("GET", "/health/live"),
    ]:
        answer = await ask(app, method, target, x_request_id="r-1")
        assert answer.headers["x-request-id"] == "r-1"


async def test_a_direct_route_is_served_before_the_framework() -> None:
    assert (await ask(app, "POST", "/v1/events")).status == 201


async def test_another_way_to_write_its_path_does_not_reach_what_documents_it() -> None:
    for target in ("/v1/events/", "//v1/events", "/v1//events"):
        assert (await ask(app, "POST", target)).status == 404


async def test_what_a_direct_route_raises_is_answered_with_its_problem() -> None:
    answer = await ask(app, "POST", "/v1/down")

    assert (answer.status, answer.code) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_what_a_stopping_server_waits_for_no_longer_is_answered_with_a_problem() -> None:
    """A server cancels it then, and would itself answer with 500."""
    asked = asyncio.create_task(ask(app, "POST", "/v1/for-ever", x_request_id="r-1"))
    await asyncio.sleep(0)
    asked.cancel()
    answer = await asked

    assert (answer.status, answer.code) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_what_a_handler_raises_is_answered_with_its_problem() -> None:
    answer = await ask(app, "GET", "/v1/customers/ada/timeline")

    assert (answer.status, answer.code) == (404, "not-found")
    assert answer.json()["detail"] == "no customer ada"


async def test_an_unforeseen_failure_shows_nothing_of_itself() -> None:
    with capture_logs() as logs:
        answer = await ask(app, "POST", "/v1/broken", x_request_id="r-1")

    assert (answer.status, answer.code) == (500, "internal-error")
    assert b"hunter2" not in answer.body
    assert [log["request_id"] for log in logs if log["log_level"] == "error"] == ["r-1"]


async def test_an_answer_that_breaks_off_is_left_to_the_server() -> None:
    with pytest.raises(RuntimeError, match="too late"):
        await ask(app, "GET", "/v1/half")


async def test_an_unknown_path_is_not_found() -> None:
    answer = await ask(app, "GET", "/nowhere")

    assert (answer.status, answer.code) == (404, "not-found")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST", "BREW"])
async def test_a_wrong_method_is_told_the_right_ones(method: str) -> None:
    answer = await ask(app, method, "/v1/customers/ada")

    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert "GET" in answer.headers["allow"].split(", ")


async def test_options_are_told() -> None:
    answer = await ask(app, "OPTIONS", "/v1/customers/ada")

    assert answer.status == 204
    assert "GET" in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("target", ["/v1/customers/ada", "/nowhere", "/v1/customers/%ff"])
async def test_head_answers_like_get_without_a_body(target: str) -> None:
    head, full = await ask(app, "HEAD", target), await ask(app, "GET", target)

    assert (head.status, head.body) == (full.status, b"")
    assert head.headers["content-type"] == full.headers["content-type"]
    assert head.headers["content-length"] == full.headers["content-length"]


@pytest.mark.parametrize(
    ("target", "customer_id"),
    [
        ("/v1/customers/ada", "ada"),
        ("/v1/customers/ada%20l%C3%B6velace", "ada lövelace"),
        ("/v1/customers/~a.b-c_d:e@f", "~a.b-c_d:e@f"),
        ("/v1/customers/%F0%9F%98%80", "😀"),
        ("/v1/customers/timeline", "timeline"),
    ],
)
async def test_a_customer_id_in_a_path_arrives_as_it_was_meant(
    target: str, customer_id: str
) -> None:
    assert (await ask(app, "GET", target)).json() == {"id": customer_id}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/customers/%00", 400),
        ("/v1/customers/a%0Ab", 400),
        ("/v1/customers/%ff", 400),
        ("/v1/customers/%ed%a0%80", 400),
        ("/v1/customers/a%2Ftimeline", 400),
        ("/v1/customers/a%2ftimeline", 400),
        ("/v1/customers/" + "a" * 9000, 400),
        ("/v1/customers//timeline", 404),
        ("/v1/customers/", 404),
        ("/v1/customers/ada?x=%00", 400),
        ("/v1/customers/ada?x=%ff", 400),
        ("/v1/customers/ada?x=\xff", 400),
        ("/v1/customers/ada?x=a%0db", 400),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_url_that_could_be_mistaken_for_another_is_refused(
    target: str, status: int
) -> None:
    answer = await ask(app, "GET", target)

    assert (answer.status, answer.code) == (
        status,
        "invalid-input" if status == 400 else "not-found",
    )


url_characters = st.sampled_from([*"aA0/?&=.~+-:;@", "%", "%2", "%00", "%2F", "%ff", "%C3%A9"])


@given(
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "BREW"]),
    st.lists(url_characters, max_size=20).map("".join),
)
def test_whatever_the_url_the_answer_is_no_5xx(method: str, target: str) -> None:
    async def asked() -> int:
        return (await ask(app, method, f"/v1/customers/{target}")).status

    assert anyio.run(asked) < 500


async def test_the_access_log_has_a_line_for_a_request_without_its_query() -> None:
    with capture_logs() as logs:
        await ask(
            app_of(show_customer), "GET", "/v1/customers/ada%20l?x=secret", x_request_id="r-1"
        )

    assert len(logs) == 1
    assert logs[0].pop("duration_ms") >= 0
    assert logs == [
        {
            "event": "request",
            "log_level": "info",
            "method": "GET",
            "path": "/v1/customers/ada%20l",
            "status": 400,
            "request_id": "r-1",
        }
    ]


async def test_a_refused_credential_is_logged_with_whence_it_came_and_counted() -> None:
    class Closed:
        def believed(self, _scope: AnyScope) -> None:
            return None

        async def admit(self, _scope: AnyScope) -> Principal:
            raise Unauthenticated

    @get("/v1/keys", opt=requires("keys:admin"))
    async def list_keys() -> None: ...

    guarded = app_of(list_keys, gate=Closed())
    with capture_logs() as logs:
        answer = await ask(guarded, "GET", "/v1/keys", authorization="Bearer canary")

    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert [(log["status"], log["client"]) for log in logs] == [(401, "")]
    assert "canary" not in str(logs)
    shown = (await ask(guarded, "GET", "/metrics")).body
    assert b"tidings_authentication_failures_total 1.0" in shown


def test_a_route_that_does_not_say_who_may_call_it_is_not_served() -> None:
    @get("/v1/forgotten")
    async def show_forgotten() -> None: ...

    with pytest.raises(LookupError, match="declares no scope"):
        create_app([show_forgotten], version="1.2.3", metrics=Metrics(), gate=OpenGate())


def test_a_direct_route_that_does_not_say_who_may_call_it_is_not_served() -> None:
    with pytest.raises(LookupError, match="no handler that says who may call it"):
        app_of(show_customer, direct_routes={("POST", "/v1/forgotten"): ingest})


async def test_the_access_log_is_silent_above_its_level() -> None:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        quiet_app = app_of(show_customer)
        with capture_logs() as logs:
            await ask(quiet_app, "GET", "/v1/customers/ada")
    finally:
        structlog.configure(**before)

    assert logs == []


def test_what_lives_as_long_as_the_app_is_entered_and_left() -> None:
    story: list[str] = []

    @asynccontextmanager
    async def store(_: Litestar) -> AsyncIterator[None]:
        story.append("opened")
        yield
        story.append("closed")

    living: Any = app_of(show_customer, lifespan=[store])
    with TestClient(living) as client:
        story.append(str(client.get("/v1/customers/ada").status_code))

    assert story == ["opened", "200", "closed"]


async def test_a_query_left_on_the_raw_path_does_not_matter() -> None:
    scope = scope_of("GET", "/v1/customers/ada?x=%2F")
    scope["raw_path"] = b"/v1/customers/ada?x=%2F"
    seen: list[int] = []

    async def send(message: Any) -> None:
        seen.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with capture_logs() as logs:
        await app_of(show_customer)(scope, receive, send)

    assert seen[0] == 400  # for x is no parameter there
    assert logs[0]["path"] == "/v1/customers/ada"
