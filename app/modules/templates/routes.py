"""Templates over HTTP: saved, read, and tried out."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from litestar import Request, Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Executed, Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Word
from app.kernel.errors import InvalidInput
from app.modules.templates.decider import TEMPLATE, SaveTemplate
from app.modules.templates.events import TemplateSaved, Wording
from app.modules.templates.rendering import (
    MAX_LANGUAGES,
    MAX_SUBJECT_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    Rendered,
    variables_of,
)
from app.modules.templates.saved import Templates
from app.security.commands import MAX_COMMAND_BYTES, Commands

_TAGS = ["Templates"]
_PATH = "/v1/templates/{name:str}"
_LAST_VERSION = 2**31 - 1
_WORDS = {"en": {"subject": "Your order {{ order_id }}", "text": "It is on its way."}}

# In Python, $ alone would let a final line feed through.
Language = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$(?!\n)",
        description="As BCP 47 names it.",
        examples=["en"],
    ),
]
Version = Annotated[
    int | None,
    QueryParameter(ge=1, le=_LAST_VERSION, description="Which version; else the newest."),
]


class WordingInput(Struct, frozen=True, forbid_unknown_fields=True):
    """What a message says in one language, in Liquid."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_SUBJECT_CHARACTERS,
            description="Of one line, whatever comes of it.",
            examples=["Your order {{ order_id }}"],
        ),
    ]
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TEXT_CHARACTERS,
            description="What is sent where no HTML is shown.",
            examples=["Hello {{ profile.traits.name | default: 'there' }}, it is on its way."],
        ),
    ]
    html: Annotated[
        Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)] | None,
        Meta(
            description="For mail. What is filled in is escaped.",
            examples=["<p>Order {{ order_id }} is on its way.</p>"],
        ),
    ] = None


class NewTemplate(Struct, frozen=True, forbid_unknown_fields=True):
    """What a template says; all of it, whatever it said before."""

    languages: Annotated[
        Mapping[Language, WordingInput],
        Meta(
            min_length=1,
            max_length=MAX_LANGUAGES,
            description="The words, by language.",
            examples=[_WORDS],
        ),
    ]
    default_language: Annotated[
        Language, Meta(description="One of them: for customers whose language is none of them.")
    ]


class TemplateVersion(Struct, frozen=True):
    """A version of a template."""

    name: Annotated[str, Meta(examples=["order-shipped"])]
    version: Annotated[int, Meta(examples=[1])]
    languages: Annotated[Mapping[str, Wording], Meta(examples=[_WORDS])]
    default_language: Annotated[str, Meta(examples=["en"])]
    variables: Annotated[
        Sequence[str], Meta(examples=[["order_id", "profile.traits.name"]], description="In use.")
    ]


class Preview(Struct, frozen=True, forbid_unknown_fields=True):
    """What a template is tried out with."""

    parameters: Annotated[
        Mapping[Annotated[str, Meta(max_length=100)], Any],
        Meta(description="What it names, by name.", examples=[{"order_id": "42"}]),
    ] = {}
    traits: Annotated[
        Mapping[str, Any], Meta(description="Of the customer.", examples=[{"name": "Ann"}])
    ] = {}
    language: Annotated[
        Language | None, Meta(description="Else the trait `language`, if that is one.")
    ] = None
    version: Annotated[
        Annotated[int, Meta(ge=1, le=_LAST_VERSION)] | None, Meta(description="Else the newest.")
    ] = None


def template_routes(commands: Commands, templates: Templates) -> list[HTTPRouteHandler]:
    """The routes of templates."""

    @put(
        _PATH,
        opt=requires("templates:write"),
        tags=_TAGS,
        summary="Save a template",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
        responses={
            200: ResponseSpec(
                Executed,
                generate_examples=False,
                description="What was recorded; no event when it says all of this already. "
                "`ETag` is the template's version.",
            )
        },
    )
    async def save_template(
        request: Request[Any, Any, Any], name: FromPath[Word], data: JSONBody[NewTemplate]
    ) -> ASGIApp:
        """A new version. Messages that are sent from now on say this.

        It is refused when it cannot be read, knows names of filters, tags or the profile that there
        are not, or could take too long. Names that are neither given nor have a `default` are found
        when a message is sent; a preview finds them before.
        """
        save = _checked(data)
        await asyncio.to_thread(variables_of, TemplateSaved(save.languages, save.default_language))
        return await commands.run(request, Step(TEMPLATE, name, save))

    @get(_PATH, opt=requires("templates:read"), tags=_TAGS, summary="Read a template")
    async def read_template(
        name: FromPath[Word], version: Version = None
    ) -> Response[TemplateVersion]:
        """A version, and what it has to be given. `ETag` is what `If-Match` expects."""
        found, saved = await templates.read(name, version)
        variables = await asyncio.to_thread(variables_of, saved)
        answer = TemplateVersion(name, found, saved.languages, saved.default_language, variables)
        return Response(answer, headers={"ETag": etag(found)})

    @post(
        f"{_PATH}/preview",
        opt=requires("templates:read"),
        tags=_TAGS,
        summary="Try out a template",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
    )
    async def preview_template(name: FromPath[Word], data: JSONBody[Preview]) -> Rendered:
        """What it would say to such a customer. Nothing is sent, and nothing is recorded."""
        trait = data.traits.get("language")
        language = data.language or (trait if isinstance(trait, str) else None)
        return await templates.render(name, data.version, language, data.parameters, data.traits)

    return [save_template, read_template, preview_template]


def _checked(data: NewTemplate) -> SaveTemplate:
    if data.default_language not in data.languages:
        raise InvalidInput("it is none of the languages", field="default_language")
    if len({name.lower() for name in data.languages}) < len(data.languages):
        raise InvalidInput("two languages differ in case alone", field="languages")
    languages = {
        name: Wording(said.subject, said.text, said.html) for name, said in data.languages.items()
    }
    return SaveTemplate(languages, data.default_language)
