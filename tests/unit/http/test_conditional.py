"""Conditional requests: what If-Match and If-None-Match mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request, Response, get
from litestar.params import FromPath

from app.http.asgi import Scope
from app.http.conditional import etag, expected_version, is_not_modified
from app.http.context import open_context
from app.kernel.errors import InvalidInput
from tests.unit.http.asking import app_of, ask, scope_of


def with_headers(**headers: str) -> Scope:
    scope = scope_of(**headers)
    open_context(scope)
    return scope


@given(st.integers(0, 10**17))
def test_the_tag_of_a_version_expects_that_version(version: int) -> None:
    assert expected_version(with_headers(if_match=etag(version))) == version


def test_a_version_is_rendered_as_a_strong_tag() -> None:
    assert etag(7) == '"7"'


@pytest.mark.parametrize("headers", [{}, {"if_match": "*"}, {"if_match": " * "}])
def test_without_a_tag_any_version_will_do(headers: dict[str, str]) -> None:
    assert expected_version(with_headers(**headers)) is None


@pytest.mark.parametrize(
    "value",
    ['W/"7"', "7", '"seven"', '"7', '"-7"', '"07"', '"7", "8"', '""', "", '"' + "9" * 30 + '"'],
)
def test_what_is_no_strong_version_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        expected_version(with_headers(if_match=value))

    assert refused.value.field == "If-Match"


@given(st.text(st.characters(max_codepoint=255), max_size=20))
def test_whatever_is_sent_is_a_version_or_refused(value: str) -> None:
    try:
        version = expected_version(with_headers(if_match=value))
    except InvalidInput:
        return
    assert version is None or version >= 0


@pytest.mark.parametrize("value", ['"7"', 'W/"7"', '"6", "7"', 'W/"6",W/"7"', "*"])
def test_the_same_version_is_not_modified(value: str) -> None:
    assert is_not_modified(with_headers(if_none_match=value), etag(7))


@get("/customers/{customer_id:str}")
async def show_customer(
    request: Request[Any, Any, Any], customer_id: FromPath[str]
) -> Response[Any]:
    headers = {"ETag": etag(7)}
    if is_not_modified(request.scope, etag(7)):
        return Response(None, status_code=304, headers=headers)
    return Response({"id": customer_id}, headers=headers)


@pytest.mark.anyio
async def test_what_is_not_modified_is_not_sent_again() -> None:
    app = app_of(show_customer)

    first = await ask(app, "GET", "/customers/ada")
    again = await ask(app, "GET", "/customers/ada", if_none_match=first.headers["etag"])

    assert (first.status, first.json()) == (200, {"id": "ada"})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("headers", [{}, {"if_none_match": '"6"'}, {"if_none_match": "7"}])
def test_another_version_is_modified(headers: dict[str, str]) -> None:
    assert not is_not_modified(with_headers(**headers), etag(7))
