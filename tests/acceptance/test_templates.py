"""Templates as those who write messages see them."""

import secrets
from typing import Any

import pytest

from tests.fixtures.api import Answer, Api

pytestmark = pytest.mark.anyio

WORDS = {
    "en": {"subject": "Order {{ order_id }}", "text": "Hello {{ profile.traits.name }}"},
    "de": {"subject": "Bestellung", "text": "Hallo", "html": "<b>{{ order_id }}</b>"},
}
GIVEN = {"parameters": {"order_id": "<42>"}, "traits": {"name": "Ann", "language": "de-AT"}}


@pytest.fixture
def path() -> str:
    """A template of the test's own."""
    return f"/v1/templates/order-{secrets.token_hex(8)}"


async def save(api: Api, path: str, words: Any = WORDS, default: str = "en") -> Answer:
    return await api.send("PUT", path, {"languages": words, "default_language": default})


async def test_a_template_is_saved_by_version_and_read(api: Api, path: str) -> None:
    assert (await save(api, path)).headers["etag"] == '"1"'
    assert (await save(api, path)).json()["events"] == []
    assert (await save(api, path, default="de")).headers["etag"] == '"2"'
    newest, first = await api.get(path), await api.read(f"{path}?version=1")
    assert newest.headers["etag"] == '"2"'
    assert (newest.json()["default_language"], first["default_language"]) == ("de", "en")
    assert first["variables"] == ["order_id", "profile.traits.name"]
    assert first["languages"]["en"] == WORDS["en"] | {"html": None}


async def test_a_preview_says_what_a_customer_would_get(api: Api, path: str) -> None:
    await save(api, path)
    said = (await api.post(f"{path}/preview", GIVEN)).json()
    assert said == {
        "language": "de", "subject": "Bestellung", "text": "Hallo", "html": "<b>&lt;42&gt;</b>"
    }  # fmt: skip
    english = (await api.post(f"{path}/preview", GIVEN | {"language": "en"})).json()
    assert (english["subject"], english["text"]) == ("Order <42>", "Hello Ann")
    failed = await api.post(f"{path}/preview", {"language": "en"})
    assert (failed.status, failed.json()["field"]) == (400, "languages.en.subject")
    assert failed.json()["type"].endswith(":rendering-failed")


@pytest.mark.parametrize(
    ("words", "default", "field"),
    [
        ({"en": {"subject": "x", "text": "{{ a | nope }}"}}, "en", "languages.en.text"),
        ({"en": {"subject": "{% if %}", "text": "x"}}, "en", "languages.en.subject"),
        ({"en": {"subject": "x", "text": "{{" * 9_000}}, "en", "languages.en.text"),
        ({"en": {"subject": "x", "text": "x"}}, "de", "default_language"),
        ({"en": WORDS["en"], "EN": WORDS["en"]}, "en", "languages"),
    ],
)
async def test_what_is_no_template_is_refused_by_its_field(
    api: Api, path: str, words: Any, default: str, field: str
) -> None:
    answer = await save(api, path, words, default)
    assert (answer.status, answer.json()["field"]) == (400, field)
    assert (await api.get(path)).status == 404


async def test_there_is_no_other_version(api: Api, path: str) -> None:
    await save(api, path)
    assert (await api.get(f"{path}?version=2")).status == 404
    assert (await api.post(f"{path}/preview", {"version": 2})).status == 404
    assert (await api.get(f"{path}?version=0")).status == 400
