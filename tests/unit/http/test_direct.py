"""Commands are served alike before the framework's router and by it."""

from typing import Any, cast

import pytest
from litestar import Request, post
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Struct

from app.http.asgi import Receive, Scope, Send, respond
from app.http.direct import DIRECT
from app.http.fields import Nothing
from app.kernel.errors import Refused
from tests.unit.http.asking import Answer, app_of, ask
from tests.unit.http.asking import post as post_to

pytestmark = pytest.mark.anyio

DIRECTLY = "/v1/things/ada/rename"
BY_THE_FRAMEWORK = "/v1/things/%61da/rename"
BOTH = (DIRECTLY, BY_THE_FRAMEWORK)


class NewName(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@post(
    "/v1/things/{thing_id:str}/rename",
    status_code=200,
    request_max_body_size=100,
    opt={DIRECT: True},
)
async def rename(
    request: Request[Any, Any, Any], thing_id: FromPath[str], data: JSONBody[NewName]
) -> ASGIApp:
    if data.name == "":
        raise Refused("a name is not empty")
    way = "framework" if "litestar_app" in request.scope else "direct"

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, [(b"x-way", way.encode())], f"{thing_id} {data.name}".encode())

    return cast(ASGIApp, answer)


@post("/v1/things/{thing_id:str}/forget", status_code=200, opt={DIRECT: True})
async def forget(
    request: Request[Any, Any, Any], thing_id: FromPath[str], data: JSONBody[Nothing]
) -> ASGIApp:
    body = await request.body()

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, [], f"{thing_id} {data} {body.decode()}".encode())

    return cast(ASGIApp, answer)


app = app_of(rename, forget)


async def sent(target: str, body: bytes = b'{"name":"Bo"}', **headers: str) -> Answer:
    return await post_to(app, target, body, **headers)


@pytest.mark.parametrize(("target", "way"), [(DIRECTLY, "direct"), (BY_THE_FRAMEWORK, "framework")])
async def test_a_plain_path_needs_no_framework(target: str, way: str) -> None:
    answer = await sent(target)
    assert (answer.status, answer.headers["x-way"], answer.body) == (200, way, b"ada Bo")


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (b'{"name":', {}, (400, "invalid-input", None)),
        (b'{"name":1}', {}, (400, "invalid-input", "name")),
        (b'{"name":"Bo","age":1}', {}, (400, "invalid-input", "age")),
        (b"", {}, (400, "invalid-input", None)),
        (b'{"name":"%b"}' % (b"o" * 100), {}, (413, "input-too-large", None)),
        (b"name=Bo", {"content_type": "text/plain"}, (415, "unsupported-media-type", None)),
        (b'{"name":""}', {}, (409, "refused", None)),
    ],
)
async def test_what_is_wrong_is_told_in_the_same_words(
    target: str, body: bytes, headers: dict[str, str], told: tuple[int, str, str | None]
) -> None:
    answer = await sent(target, body, **headers)
    assert (answer.status, answer.code, answer.json().get("field")) == told


@pytest.mark.parametrize("target", ["/v1/things/ada/forget", "/v1/things/%61da/forget"])
async def test_a_body_without_fields_may_be_left_out(target: str) -> None:
    for body, headers in (
        (b"", {}),
        (b"", {"content_type": "text/plain"}),
        (b"{}", {"content_type": "application/json"}),
    ):
        answer = await ask(app, "POST", target, body, **headers)
        assert (answer.status, answer.body) == (200, b"ada Nothing() {}")
    assert (await post_to(app, target, b'{"name":"Bo"}')).json()["field"] == "name"
    assert (await ask(app, "POST", target, b"{}")).code == "unsupported-media-type"


@pytest.mark.parametrize("target", BOTH)
async def test_it_is_counted_under_its_route(target: str) -> None:
    app = app_of(rename)
    await post_to(app, target, b'{"name":"Bo"}')

    counted = (await ask(app, "GET", "/metrics")).body.decode()
    assert (
        'tidings_http_requests_total{method="POST",route="/v1/things/{thing_id}/rename",'
        'status="200"} 1.0'
    ) in counted


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", DIRECTLY, 405),
        ("POST", "/v1/things//rename", 404),
        ("POST", "/v1/things/ada/rename/", 404),
        ("POST", "/v1/things/ada/x/rename", 404),
        ("POST", "/v1/others/ada/rename", 404),
        ("POST", "/rename", 404),
        ("POST", f"{DIRECTLY}?loud=yes", 400),
        ("POST", "/v1/things/a%2Fb/rename", 400),
    ],
)
async def test_what_is_not_its_path_is_left_to_the_framework(
    method: str, target: str, status: int
) -> None:
    answer = await ask(app, method, target, body=b'{"name":"Bo"}', content_type="application/json")
    assert answer.status == status


async def test_a_path_that_is_no_commands_cannot_be_served_directly() -> None:
    @post("/v1/things", opt={DIRECT: True})
    async def make() -> None: ...

    with pytest.raises(ValueError, match="no command's path"):
        app_of(make)
