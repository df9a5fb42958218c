"""The event catalogue over HTTP: types are declared, and read."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Executed, Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Word
from app.kernel.errors import InvalidInput, Refused
from app.kernel.event import EventCatalogue
from app.kernel.ids import check_id
from app.modules.event_types.decider import EVENT_TYPE, DeclareEventType
from app.modules.event_types.declared import EventType, EventTypes
from app.modules.event_types.events import EventTypeDeclared
from app.modules.event_types.schemas import Schema
from app.security.commands import MAX_COMMAND_BYTES, Commands

MAX_TYPES = 1_000
MAX_TITLE_CHARACTERS = 200
MAX_SENSITIVE_FIELDS = 100
MAX_FIELD_CHARACTERS = 100

_TAGS = ["Event catalogue"]
_ADMIN = requires("catalogue:admin")
_PATH = "/v1/event-types/{event_type:str}"
_TITLE = re.compile(r"(?:[^{}]|\{[A-Za-z_][A-Za-z0-9_]*\})+")


class TooManyEventTypes(Refused):
    """At most 1,000 types of events are declared."""


class Declaration(Struct, frozen=True, forbid_unknown_fields=True):
    """What events of a type look like; all of it, whatever was declared before."""

    schema: Annotated[
        Any,
        Meta(
            description="A JSON Schema (draft 2020-12) of `data`; null: anything fits.",
            examples=[
                {
                    "properties": {
                        "order_id": {"type": "string"},
                        "amount": {"type": "number", "minimum": 0},
                    },
                    "required": ["order_id"],
                }
            ],
            extra_json_schema={"extra": {"type": ["object", "boolean", "null"]}},
        ),
    ] = None
    title: Annotated[
        str | None,
        Meta(
            description="The wording on timelines, 1 to 200 characters, filled from `data`.",
            examples=["Placed order {order_id}"],
        ),
    ] = None
    kind: Annotated[
        Word | None,
        Meta(description="What entries on timelines are about.", examples=["order"]),
    ] = None
    sensitive: Annotated[
        Sequence[str],
        Meta(
            description="Names of fields of `data`, at any depth, that are about a person.",
            examples=[["delivery_note"]],
        ),
    ] = ()


class EventTypeList(Struct, frozen=True):
    """Every declared type."""

    items: Sequence[EventType]


def event_type_routes(
    commands: Commands, event_types: EventTypes, catalogue: EventCatalogue
) -> list[HTTPRouteHandler]:
    """The routes of the event catalogue."""

    @put(
        _PATH,
        opt=_ADMIN,
        tags=_TAGS,
        summary="Declare a type of events",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
        responses={
            200: ResponseSpec(
                Executed,
                generate_examples=False,
                description="What was recorded; no event when all of it was declared already. "
                "`ETag` is the declaration's version.",
            )
        },
    )
    async def declare_event_type(
        request: Request[Any, Any, Any], event_type: FromPath[str], data: JSONBody[Declaration]
    ) -> ASGIApp:
        """From now on, events of this type that do not fit the schema are quarantined.

        Every process knows within about a second, the one that answers at once. What is recorded
        stays as it is, but its title and kind on timelines are those declared last.
        """
        _check_type(event_type, catalogue)
        declared = _checked(data)
        if len(event_types) >= MAX_TYPES and event_type not in event_types:
            raise TooManyEventTypes
        step = Step(EVENT_TYPE, event_type, DeclareEventType(declared), customer_id=None)
        answer = await commands.run(request, step)
        await event_types.refresh()
        return answer

    @get("/v1/event-types", opt=_ADMIN, tags=_TAGS, summary="List the declared types of events")
    async def list_event_types() -> EventTypeList:
        """All of them, by name."""
        return EventTypeList(event_types.all())

    @get(_PATH, opt=_ADMIN, tags=_TAGS, summary="Read a declared type of events")
    async def read_event_type(event_type: FromPath[str]) -> Response[EventType]:
        """A type as it was declared last. The `ETag` is what `If-Match` expects."""
        found = event_types.one(event_type)
        return Response(found, headers={"ETag": etag(found.version)})

    return [declare_event_type, list_event_types, read_event_type]


def _check_type(event_type: str, catalogue: EventCatalogue) -> None:
    check_id(event_type, field="event_type")
    if catalogue.is_reserved(event_type):
        raise InvalidInput(f"{event_type!r} begins as a built-in type does", field="event_type")


def _checked(data: Declaration) -> EventTypeDeclared:
    if data.schema is not None:
        Schema(data.schema)
    if data.title is not None:
        _check_title(data.title)
    if len(data.sensitive) > MAX_SENSITIVE_FIELDS:
        raise InvalidInput(f"at most {MAX_SENSITIVE_FIELDS} fields are named", field="sensitive")
    for number, name in enumerate(data.sensitive):
        if not 1 <= len(name) <= MAX_FIELD_CHARACTERS or not name.isprintable():
            raise InvalidInput(
                f"a name has 1 to {MAX_FIELD_CHARACTERS} printable characters",
                field=f"sensitive[{number}]",
            )
    return EventTypeDeclared(data.schema, data.title, data.kind, tuple(sorted(set(data.sensitive))))


def _check_title(title: str) -> None:
    if not 1 <= len(title) <= MAX_TITLE_CHARACTERS or not title.isprintable():
        raise InvalidInput(
            f"a title has 1 to {MAX_TITLE_CHARACTERS} printable characters", field="title"
        )
    if not _TITLE.fullmatch(title):
        raise InvalidInput(
            "within braces stands the name of a field: letters, digits and _, no digit first",
            field="title",
        )
