"""What happens to templates."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from app.kernel.event import Event


class Wording(Struct, frozen=True, forbid_unknown_fields=True):
    """What a message says in one language, in Liquid."""

    subject: str
    text: str
    html: str | None = None


class TemplateSaved(Event, frozen=True):
    """The template says this from now on; all of it, whatever it said before."""

    tag: ClassVar[str] = "template.saved"
    title: ClassVar[str] = "Saved a template"
    is_administrative: ClassVar[bool] = True

    languages: Mapping[str, Wording]
    """By language, such as ``en`` or ``en-GB``."""
    default_language: str
    """One of them: for customers of other languages, or of none that is known."""


REGISTERED = (TemplateSaved,)
"""The event types of this module, for the catalogue."""
