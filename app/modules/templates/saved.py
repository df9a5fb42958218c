"""The templates of a store, by name and version, and what comes of them for a customer."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.errors import NotFound
from app.kernel.event import RecordedEvent
from app.kernel.ids import stream_name
from app.modules.templates.decider import TEMPLATE
from app.modules.templates.events import TemplateSaved
from app.modules.templates.rendering import Rendered, render

MAX_TEMPLATES_IN_MEMORY = 200
PAGE_EVENTS = 100


class NoSuchTemplate(NotFound):
    """There is no such template, or no such version of it."""


class Templates:
    """Reads templates; the newest version of each is remembered, and looked for anew."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take where they are read."""
        self._store = store
        self._codec = codec
        self._newest: OrderedDict[str, tuple[int, TemplateSaved]] = OrderedDict()

    async def read(self, name: str, version: int | None = None) -> tuple[int, TemplateSaved]:
        """A template with its version; the newest unless one is named.

        Raises `NoSuchTemplate` and `StoreUnavailable`.
        """
        found = await self._read_newest(name)
        if found is None or (version is not None and not 1 <= version <= found[0]):
            raise NoSuchTemplate
        if version is None or version == found[0]:
            return found
        (recorded,) = await self._store.read_stream(
            stream_name(TEMPLATE.category, name), after_version=version - 1, limit=1
        )
        return version, self._saved(recorded)

    async def has(self, name: str) -> bool:
        """Whether it has been saved. Raises `StoreUnavailable`."""
        return await self._read_newest(name) is not None

    async def render(
        self,
        name: str,
        version: int | None,
        language: str | None,
        parameters: Mapping[str, Any],
        traits: Mapping[str, Any],
    ) -> Rendered:
        """What a template says to a customer; nobody else waits for it.

        Raises `NoSuchTemplate`, `RenderingFailed` and `StoreUnavailable`.
        """
        _, template = await self.read(name, version)
        return await asyncio.to_thread(render, template, language, parameters, traits)

    async def _read_newest(self, name: str) -> tuple[int, TemplateSaved] | None:
        stream = stream_name(TEMPLATE.category, name)
        found = self._newest.get(name)
        while True:
            after = found[0] if found else 0
            page = await self._store.read_stream(stream, after_version=after, limit=PAGE_EVENTS)
            if page:
                found = page[-1].version, self._saved(page[-1])
            if len(page) < PAGE_EVENTS:
                break
        if found is not None:
            self._newest[name] = found
            self._newest.move_to_end(name)
        if len(self._newest) > MAX_TEMPLATES_IN_MEMORY:
            self._newest.popitem(last=False)
        return found

    def _saved(self, recorded: RecordedEvent) -> TemplateSaved:
        return cast(TemplateSaved, self._codec.decode(recorded))  # the only event there is
