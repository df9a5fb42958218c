"""A URL's parameters are what a query knows, each once, within their bounds."""

from typing import Annotated, Any

import pytest
from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter

from app.http.parameters import OptionalPosition
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio


@get("/customers/{customer_id:str}")
async def show_customer(
    customer_id: FromPath[str],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    after: OptionalPosition = None,
    from_: Annotated[str | None, QueryParameter(name="from", min_length=3)] = None,
    kinds: Annotated[list[str] | None, QueryParameter(name="kind")] = None,
) -> dict[str, Any]:
    return {"id": customer_id, "limit": limit, "after": after, "from": from_, "kinds": kinds}


@get("/search")
async def search(trait: FromQuery[str]) -> str:
    return trait


app = app_of(show_customer, search)


async def test_parameters_that_are_known_reach_the_handler() -> None:
    answer = await ask(app, "GET", "/customers/ada?limit=3&after=7&kind=order&kind=support")

    assert answer.json() == {
        "id": "ada",
        "limit": 3,
        "after": 7,
        "from": None,
        "kinds": ["order", "support"],
    }


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", ["limit"]),
        ("limit=201", ["limit"]),
        ("limit=many", ["limit"]),
        ("limit=", ["limit"]),
        ("limit=9999999999999999999999", ["limit"]),
        ("after=-1", ["after"]),
        ("after=9223372036854775808", ["after"]),
        ("after=" + "9" * 400, ["after"]),
        ("from=x", ["from"]),
        ("limit=0&after=x", ["limit", "after"]),
        ("limt=3", ["limt"]),
        ("limit=3&limit=4", ["limit"]),
        ("from_=2026", ["from_"]),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(query: str, fields: list[str]) -> None:
    answer = await ask(app, "GET", f"/customers/ada?{query}")

    assert (answer.status, answer.code) == (400, "invalid-input")
    problem = answer.json()
    assert problem["field"] == fields[0]
    assert [error["field"] for error in problem["errors"]] == fields


async def test_a_parameter_that_is_missing_is_named() -> None:
    answer = await ask(app, "GET", "/search")

    assert (answer.status, answer.code) == (400, "invalid-input")
    assert answer.json()["field"] == "trait"


async def test_a_probe_may_carry_any_parameter() -> None:
    assert (await ask(app, "GET", "/health/live?cache=no")).status == 200
