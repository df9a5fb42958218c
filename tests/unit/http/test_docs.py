"""The documentation: complete, with examples that fit, on a page that needs nobody else."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Annotated, Any

import msgspec
import pytest
from litestar import Response, get, post
from litestar.openapi.spec import Example
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, Struct

from app.http.access import PUBLIC
from app.http.docs_page import documentation_page
from app.http.fields import Nothing
from app.http.openapi import openapi_document
from tests.unit.http.asking import Answer, app_of, ask

pytestmark = pytest.mark.anyio


class Trait(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(examples=["plan"])]
    value: Annotated[str | int, Meta(description="Its <value>.")] = "pro"


class ChangeTraits(Struct, forbid_unknown_fields=True):
    traits: list[Trait]
    note: Annotated[str, Meta(max_length=100)] | None = None


class Changed(Struct):
    position: Annotated[int, Meta(examples=[42])]
    again: "Changed | None" = None


@post("/v1/customers/{customer_id:str}/change-traits", status_code=200)
async def change_traits(
    customer_id: Annotated[str, PathParameter(examples=[Example(value="ada l")])],
    data: JSONBody[ChangeTraits],
) -> Response[Changed]:
    """Change what is known of a customer.

    The ``plan`` is <b>theirs</b>.
    """
    raise NotImplementedError(customer_id, data)


@get("/v1/customers")
async def list_customers(
    limit: Annotated[int, QueryParameter(ge=1, le=200, description="At most so many.")] = 50,
) -> list[Trait]:
    """List them."""
    raise NotImplementedError(limit)


routes = [change_traits, list_customers]
app = app_of(*routes)


async def document() -> dict[str, Any]:
    found: dict[str, Any] = (await ask(app, "GET", "/openapi.json")).json()
    return found


async def page() -> Answer:
    return await ask(app, "GET", "/docs", host="shop.example:8000")


async def test_the_document_is_openapi_of_this_version() -> None:
    found = await document()

    assert found["openapi"].startswith("3.1")
    assert found["info"]["version"] == "1.2.3"
    assert set(found["paths"]) == {
        "/v1/customers",
        "/v1/customers/{customer_id}/change-traits",
    }, "probes, metrics and pages are no part of the API"


async def test_every_operation_tells_of_problems_and_of_the_headers_it_understands() -> None:
    found = await document()
    command = found["paths"]["/v1/customers/{customer_id}/change-traits"]["post"]
    query = found["paths"]["/v1/customers"]["get"]

    for operation in (command, query):
        assert "400" not in operation["responses"]
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    assert found["components"]["schemas"]["Problem"]["properties"]["detail"]
    names = {
        found["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[-1]]["name"]
        for parameter in command["parameters"]
        if "$ref" in parameter
    }
    assert {"Idempotency-Key", "If-Match", "X-Request-Id", "X-Correlation-Id"} <= names


async def test_every_reference_leads_somewhere() -> None:
    found = await document()

    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found)):
        part: Any = found
        for name in reference.split("/"):
            part = part[name]


async def test_examples_are_whole_and_fit_their_types() -> None:
    operation = (await document())["paths"]["/v1/customers/{customer_id}/change-traits"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]

    assert msgspec.convert(body, ChangeTraits).traits[0].name == "plan"
    assert msgspec.convert(answer, Changed).position == 42


def test_a_body_is_required_unless_it_has_no_fields() -> None:
    @post("/forget", opt=PUBLIC)
    async def forget(data: JSONBody[Nothing]) -> None:
        raise NotImplementedError(data)

    @post("/change", opt=PUBLIC)
    async def change(data: JSONBody[ChangeTraits]) -> None:
        raise NotImplementedError(data)

    paths = openapi_document([forget, change], version="1")["paths"]
    required = {path: item["post"]["requestBody"]["required"] for path, item in paths.items()}
    assert required == {"/forget": False, "/change": True}


def test_two_operations_of_one_name_are_refused() -> None:
    @get("/elsewhere", name="other")
    async def list_customers() -> None:
        pass

    with pytest.raises(ValueError, match="list_customers"):
        openapi_document([*routes, list_customers], version="1")


class Page(HTMLParser):
    """What a browser would go for, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.inline: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action"}]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] in (["style"], ["script"]):
            self.inline.setdefault(self.tags[-1], data)


async def test_the_page_needs_no_other_host() -> None:
    shown = Page()
    answer = await page()
    shown.feed(answer.body.decode())

    assert all(link.startswith(("#", "/", "data:")) for link in shown.links), shown.links
    for text in shown.inline.values():
        assert not re.search(r"https?:|//[a-z]|@import|url\(", text.replace("// ", ""))
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_pages_own_parts_are_allowed_and_no_others() -> None:
    shown = Page()
    answer = await page()
    shown.feed(answer.body.decode())

    for part in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.inline[part].encode()).digest()).decode()
        assert f"{part}-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


async def test_the_page_shows_each_operation_with_an_example_to_copy() -> None:
    text = (await page()).body.decode()

    assert 'data-path="/v1/customers/{customer_id}/change-traits"' in text
    assert "Change what is known of a customer." in text
    assert "At most so many." in text
    assert "curl -u &quot;$TIDINGS_API_KEY:&quot; http://shop.example:8000/v1/customers" in text
    assert "/v1/customers/ada%20l/change-traits -H" in text
    assert 'value="ada l"' in text
    assert "integer 1 to 200" in text
    assert "traits[].value" in text


async def test_what_comes_from_the_document_is_escaped() -> None:
    text = (await page()).body.decode()

    assert "<code>plan</code> is &lt;b&gt;theirs&lt;/b&gt;" in text
    assert "Its &lt;value&gt;." in text


def test_a_page_can_be_made_of_an_api_without_operations() -> None:
    empty = openapi_document([], version="1")

    assert "<main></main>" in documentation_page(empty, base_url="", style="", script="")


async def test_the_root_leads_to_the_documentation() -> None:
    answer = await ask(app_of(), "GET", "/")
    assert (answer.status, answer.headers["location"]) == (302, "/docs")
