"""A handler's body is JSON of its type, or the request is refused and nothing runs."""

from typing import Annotated, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import post as route
from litestar.params import JSONBody
from msgspec import Meta, Struct

from app.http.request import MAX_BODY_BYTES
from tests.unit.http.asking import Answer, app_of, ask, post

pytestmark = pytest.mark.anyio


class Line(Struct, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=1)]
    sku: str = "chair"


class Order(Struct, forbid_unknown_fields=True):
    lines: list[Line]
    is_gift: bool = False


@route("/orders", status_code=200)
async def place_order(data: JSONBody[Order]) -> Order:
    return data


@route("/lines", status_code=200)
async def add_lines(data: JSONBody[list[Line]]) -> list[Line]:
    return data


@route("/again", status_code=200)
async def order_again(data: JSONBody[Order | None] = None) -> str:
    return "as before" if data is None else f"{len(data.lines)} lines"


@route("/small", status_code=200, request_max_body_size=20)
async def take_little(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return data


app = app_of(place_order, add_lines, order_again, take_little)

ORDER = b'{"lines": [{"quantity": 2}]}'


def assert_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code)


async def test_a_body_reaches_the_handler_as_its_type() -> None:
    answer = await post(app, "/orders", ORDER)

    assert answer.status == 200
    assert answer.json() == {"lines": [{"quantity": 2, "sku": "chair"}], "is_gift": False}


async def test_a_list_reaches_the_handler_as_its_type() -> None:
    answer = await post(app, "/lines", b'[{"quantity": 1}, {"quantity": 2}]')

    assert [line["quantity"] for line in answer.json()] == [1, 2]


async def test_a_body_may_come_in_pieces() -> None:
    assert (await post(app, "/orders", [ORDER[:5], b"", ORDER[5:], b""])).status == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"],
)
async def test_any_kind_of_json_is_understood(content_type: str) -> None:
    assert (await post(app, "/orders", ORDER, content_type=content_type)).status == 200


@pytest.mark.parametrize("content_type", ["", "text/json", "application/x-www-form-urlencoded"])
async def test_another_media_type_is_refused(content_type: str) -> None:
    answer = await post(app, "/orders", ORDER, content_type=content_type)

    assert_refused(answer, 415, "unsupported-media-type")


async def test_a_body_without_a_media_type_is_refused() -> None:
    assert_refused(await ask(app, "POST", "/orders", ORDER), 415, "unsupported-media-type")


async def test_a_compressed_body_is_refused() -> None:
    answer = await post(app, "/orders", ORDER, content_encoding="gzip")

    assert_refused(answer, 415, "unsupported-media-type")


async def test_an_empty_body_is_refused() -> None:
    assert_refused(await post(app, "/orders", b""), 400, "invalid-input")


@pytest.mark.parametrize(
    "headers", [{}, {"content_type": "application/json"}, {"content_type": "text/plain"}]
)
async def test_a_body_that_may_be_left_out_is_not_asked_for(headers: dict[str, str]) -> None:
    answer = await ask(app, "POST", "/again", b"", **headers)
    assert (answer.status, answer.body) == (200, b"as before")


async def test_a_body_that_may_be_left_out_is_checked_when_it_comes() -> None:
    assert (await post(app, "/again", ORDER)).body == b"1 lines"
    assert (await post(app, "/again", b"null")).body == b"as before"
    assert_refused(await post(app, "/again", b'{"lines": 1}'), 400, "invalid-input")
    assert_refused(await ask(app, "POST", "/again", ORDER), 415, "unsupported-media-type")


async def test_a_body_that_announces_too_much_is_refused_unread() -> None:
    answer = await post(app, "/orders", ORDER, content_length=str(MAX_BODY_BYTES + 1))

    assert_refused(answer, 413, "input-too-large")


@pytest.mark.parametrize("pieces", [1, 5])
async def test_a_body_that_turns_out_too_large_is_refused(pieces: int) -> None:
    piece = b" " * (MAX_BODY_BYTES // pieces + 1)

    assert_refused(await post(app, "/orders", [piece] * pieces), 413, "input-too-large")


async def test_a_body_of_the_very_limit_passes() -> None:
    assert (await post(app, "/orders", ORDER + b" " * (MAX_BODY_BYTES - len(ORDER)))).status == 200


async def test_a_handler_may_have_a_smaller_limit() -> None:
    assert (await post(app, "/small", b'{"a": 1}')).status == 200
    assert_refused(await post(app, "/small", b'{"a": "too much for it"}'), 413, "input-too-large")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"lines": [{"quantity": "2"}]}', "lines[0].quantity"),
        (b'{"lines": [{"quantity": 2.5}]}', "lines[0].quantity"),
        (b'{"lines": [{"quantity": 0}]}', "lines[0].quantity"),
        (b'{"lines": [], "is_gift": "true"}', "is_gift"),
        (b'{"lines": [], "is_gift": 1}', "is_gift"),
        (b'{"lines": [], "is_gif": true}', "is_gif"),
        (b"{}", "lines"),
        (b"[]", None),
        (b"null", None),
        (b'{"lines": []', None),
        (b'{"lines": NaN}', None),
        (rb'{"lines": [{"quantity": 1, "sku": "\u0000"}]}', "lines[0].sku"),
        (b'{"lines": [{"quantity": 1, "sku": "\xff"}]}', None),
        (b'{"lines": ' + b"[" * 100, None),
    ],
)
async def test_a_body_of_another_shape_is_refused_by_its_field(
    body: bytes, field: str | None
) -> None:
    answer = await post(app, "/orders", body)

    assert_refused(answer, 400, "invalid-input")
    assert answer.json().get("field") == field


@given(st.one_of(st.binary(max_size=200), st.text('{}[]"\\lines:,0e1.u').map(str.encode)))
def test_whatever_the_body_the_answer_is_no_5xx(body: bytes) -> None:
    answer = anyio.run(post, app, "/orders", body)

    assert answer.status < 500
