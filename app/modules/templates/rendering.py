"""A template, and what comes of it for a customer."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta, Struct

from app.kernel.errors import InvalidInput
from app.modules.templates.events import TemplateSaved, Wording
from app.modules.templates.liquid import Part

MAX_SUBJECT_CHARACTERS = 500
"""Of the template, and of what comes of it."""
MAX_TEXT_CHARACTERS = 20_000
MAX_LANGUAGES = 50
MAX_LANGUAGE_CHARACTERS = 30
MAX_PARTS_IN_MEMORY = 500
PROFILE_FIELDS = ("language", "traits")


class Rendered(Struct, frozen=True):
    """What a message says to a customer."""

    language: Annotated[str, Meta(examples=["en"])]
    subject: Annotated[str, Meta(examples=["Your order 42"])]
    """Of one line: nothing in it can become another header of a mail."""
    text: Annotated[str, Meta(examples=["Hello Ann, your order 42 is on its way."])]
    html: Annotated[str | None, Meta(examples=["<p>Hello Ann, …</p>"])] = None


@lru_cache(MAX_PARTS_IN_MEMORY)
def _part(source: str, field: str) -> Part:
    return Part(source, is_html=field.endswith(".html"), field=field)


def variables_of(template: TemplateSaved) -> list[str]:
    """What the template has to be given, by full names, in order.

    Raises `InvalidInput`, with the path of what is wrong.
    """
    found: set[str] = set()
    for language, wording in template.languages.items():
        for name, source in _sources(wording).items():
            part = _part(source, f"languages.{language}.{name}")
            _check_profile(part)
            found |= part.variables
    return sorted(found)


def render(
    template: TemplateSaved,
    language: str | None,
    parameters: Mapping[str, Any],
    traits: Mapping[str, Any],
) -> Rendered:
    """What the template says in the language that is next to this one.

    Raises `RenderingFailed`, which tells no value, only where in the template it happened.
    """
    chosen = language_of(template, language)
    values = {**parameters, "profile": {"traits": traits, "language": chosen}}
    said = {
        name: _part(source, f"languages.{chosen}.{name}").render(values)
        for name, source in _sources(template.languages[chosen]).items()
    }
    return Rendered(chosen, _one_line(said["subject"]), said["text"], said.get("html"))


def language_of(template: TemplateSaved, language: str | None) -> str:
    """Of the template's languages, that one; else its base (``en`` of ``en-GB``); else the default.

    Case says nothing, and ``_`` is as good as ``-``.
    """
    known = {name.lower(): name for name in template.languages}
    wanted = (language or "")[:MAX_LANGUAGE_CHARACTERS].lower().replace("_", "-")
    while wanted:
        if wanted in known:
            return known[wanted]
        wanted = wanted.rpartition("-")[0]
    return template.default_language


def _sources(wording: Wording) -> dict[str, str]:
    sources = {"subject": wording.subject, "text": wording.text}
    return sources if wording.html is None else {**sources, "html": wording.html}


def _check_profile(part: Part) -> None:
    for variable in part.variables:
        root, _, rest = variable.partition(".")
        if root == "profile" and rest.partition(".")[0].partition("[")[0] not in PROFILE_FIELDS:
            raise InvalidInput(
                f"{variable} is not known; a profile has {', '.join(PROFILE_FIELDS)}",
                field=part.field,
            )


def _one_line(subject: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    return line[:MAX_SUBJECT_CHARACTERS]
