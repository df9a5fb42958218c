"""The API is what its document says, and the documentation needs nothing but the server."""

import json
import re
from html import escape
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.faults.scale import rounds
from tests.fixtures.access import AUTHORIZATION
from tests.fixtures.api import Api, raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp

EXAMPLES_AN_OPERATION = rounds(4, 12)
SEED = 20261122
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

PARTS = {
    "{customer_id}": "ann",
    "{stream}": "activity-ann",
    "{name}": "timeline",
    "{event_type}": "Product Added",
    "{event_id}": "01a2026c-6ee3-701c-805c-57abf172b89f",
    "{question_id}": "4711",
    "{cart_id}": "1001",
    "{playback_id}": "p-1",
    "{subscription_id}": "s-1",
    "{order_id}": "42",
    "{payment_id}": "order-42",
    "{sku}": "A-7",
}
"""Of paths, and what stands there."""

# As attributes or in CSS; a link that somebody may follow is something else.
LOADED = re.compile(r"""(?:src|action|href)\s*=\s*["']?([^"'\s>]+)|url\(([^)]*)\)|@import""")


@pytest.fixture
def document(tidings_up: TidingsUp) -> Any:
    """The OpenAPI document as served."""
    answer = send_bytes(tidings_up.url, raw_request("GET", "/openapi.json"))
    assert answer is not None
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


@pytest.mark.anyio
async def test_the_documentation_page_names_no_other_host(api: Api, document: Any) -> None:
    page = await api.get("/docs")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.body.decode()
    for loaded in LOADED.findall(text):
        assert not urlsplit("".join(loaded)).netloc, loaded
    hosts = set(re.findall(r"https?://([^/\s\"'<>&]+)", text + json.dumps(document)))
    assert hosts <= {urlsplit(api.url).netloc}
    for path, _, operation in operations(document):
        assert path.replace("{", "").split("}")[0] in text.replace("{", "")
        assert escape(operation["summary"]) in text


def test_every_answer_in_json_has_an_example(document: Any) -> None:
    answers = {
        (path, method, media_type): media
        for path, method, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status != "default"
        for media_type, media in answer.get("content", {}).items()
        if "json" in media_type
    }
    said = {"example", "examples"}
    assert [where for where, media in answers.items() if not said & set(media)] == []
    backtest = answers["/v1/rules/{name}/backtest", "post", "application/jsonl"]
    schema = {**backtest["schema"], "components": document["components"]}
    lines = [example["value"] for example in backtest["examples"].values()]
    assert [next(iter(line)) for line in lines] == ["progress", "decision", "summary", "problem"]
    assert all(jsonschema_rs.is_valid(schema, line) for line in lines)


@pytest.mark.anyio
async def test_the_bodies_of_the_documents_examples_are_accepted(api: Api, document: Any) -> None:
    sent = 0
    for path, method, operation in operations(document):
        body = operation.get("requestBody")
        if body is not None:
            target = path.replace("{customer_id}", f"customer-of-{uuid4()}")
            # A key of that name is made by an example before.
            name = "shop" if path.startswith("/v1/keys") else "timeline"
            target = target.replace("{name}", name)
            example = body["content"]["application/json"]["example"]
            if path.startswith("/v1/receipts/"):  # which nobody takes unsigned
                continue
            answer = await api.send(method.upper(), target, example)
            # A command may be for what is not there, or not so: its body was understood.
            assert answer.status in {200, 201, 202, 404, 409}, (path, answer)
            if answer.status < 400:
                documented = operation["responses"][str(answer.status)]
                assert documented["content"][answer.headers["content-type"].split(";")[0]]
            sent += 1
    assert sent >= 7


@pytest.mark.anyio
async def test_the_examples_of_answers_look_like_answers(api: Api, document: Any) -> None:
    """With the same fields as the real thing, and no placeholder for a value."""
    ann = f"customer-of-{uuid4()}"
    await api.post(f"/v1/customers/{ann}/register", {"traits": {"name": "Ann"}})
    [outcome] = await api.record({"type": "Seen", "customer_id": ann, "data": {}})
    where = f"?min_position={outcome['position']}"
    one = "/v1/customers/{customer_id}"
    for path in (one, f"{one}/timeline", f"{one}/visits", "/v1/activity-counts"):
        real = await api.read(path.replace("{customer_id}", ann) + where)
        response = document["paths"][path]["get"]["responses"]["200"]
        example = response["content"]["application/json"]["example"]
        assert example.keys() == real.keys()
        assert not re.search(r'"text"|: null', json.dumps(example.get("items", {})))
        if "items" in real:
            assert example["items"][0].keys() == real["items"][0].keys()


@pytest.mark.anyio
async def test_every_parameter_that_is_documented_is_known(api: Api, document: Any) -> None:
    """An unknown one is refused, so this also says that none is documented by another name."""
    for path, method, operation in operations(document):
        names = [p["name"] for p in operation["parameters"] if p.get("in") == "query"]
        for name in names:
            target = path
            for part, value in PARTS.items():
                target = target.replace(part, value)
            answer = await api.send(method.upper(), f"{target}?{name}=")
            detail = answer.json().get("detail", "")
            assert "not known here" not in detail, (path, name)


@pytest.mark.faults
@pytest.mark.parametrize("way", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_the_answer_is_as_documented(
    tidings_up: TidingsUp, document: Any, way: GenerationMode
) -> None:
    """Requests that fit the document or do not; the live stream is left out, it never ends."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=tidings_up.url)
    asked = 0
    found_operations = list(schema.exclude(path_regex="/live$").get_all_operations())
    for found in found_operations:
        assert isinstance(found, Ok), found

        @seeded(SEED)
        @settings(
            max_examples=EXAMPLES_AN_OPERATION,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=found.ok().as_strategy(generation_mode=way))
        def check(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Authorization": AUTHORIZATION})

        try:
            check()
        except Unsatisfiable:  # nothing is against the document, where any path will do
            continue
        asked += 1
    if way is GenerationMode.POSITIVE:
        assert asked == len(found_operations)
    assert asked > len(operations(document)) / 2
