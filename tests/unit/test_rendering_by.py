"""The courier's words are those of templates."""

import msgspec
import pytest
from msgspec import Raw

from app.bootstrap.courier import rendering_by
from app.catalogue import CODEC
from app.delivery.rendering import CannotRender, Rendered, Rendering
from app.eventstore.memory import InMemoryEventStore
from app.eventstore.port import Append, StreamAppend
from app.kernel.event import NewEvent
from app.kernel.ids import new_event_id
from app.modules.templates.events import TemplateSaved, Wording
from app.modules.templates.saved import Templates

pytestmark = pytest.mark.anyio

WORDS = {
    "en": Wording("Order {{ id }}", "Hello {{ profile.traits.name }}"),
    "de": Wording("Bestellung", "Hallo", "<p>Hallo</p>"),
}


async def save(store: InMemoryEventStore, saved: TemplateSaved) -> None:
    data = Raw(msgspec.json.encode(saved))
    event = NewEvent(new_event_id(), saved.tag, data, Raw(b"{}"), saved.schema_version)
    await store.append(Append((StreamAppend("template-shipped", (event,)),)))


async def test_a_message_says_what_the_newest_version_says_in_the_customers_language() -> None:
    store = InMemoryEventStore()
    render = rendering_by(Templates(store, CODEC))
    await save(store, TemplateSaved(WORDS, "en"))
    ann = Rendering("shipped", {"id": "42"}, {"name": "Ann"})
    assert await render(ann) == Rendered("Hello Ann", "Order 42", None)
    await save(store, TemplateSaved(WORDS, "de"))
    assert await render(ann) == Rendered("Hallo", "Bestellung", "<p>Hallo</p>")
    ben = Rendering("shipped", {"id": "42"}, {"name": "Ben", "language": "en-GB"})
    assert await render(ben) == Rendered("Hello Ben", "Order 42", None)


async def test_what_cannot_be_rendered_says_so_without_any_value() -> None:
    store = InMemoryEventStore()
    render = rendering_by(Templates(store, CODEC))
    with pytest.raises(CannotRender, match="no such template"):
        await render(Rendering("shipped", {}, {}))
    await save(store, TemplateSaved(WORDS, "en"))
    with pytest.raises(CannotRender, match="'id' is undefined"):
        await render(Rendering("shipped", {"secret": "x"}, {"name": "Ann"}))
