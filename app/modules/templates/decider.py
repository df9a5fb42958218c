"""A template is saved, and saved again: each time is a version, from 1."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.event import Event
from app.modules.templates.events import TemplateSaved, Wording


class SaveTemplate(Struct, frozen=True):
    """Let it say this; nothing when it does already."""

    languages: Mapping[str, Wording]
    default_language: str


class NotSaved(Struct, frozen=True):
    """There is no template."""


Template = NotSaved | TemplateSaved


def decide_template(command: SaveTemplate, template: Template) -> Sequence[Event]:
    """What follows from a command to a template."""
    saved = TemplateSaved(command.languages, command.default_language)
    return () if saved == template else (saved,)


def evolve_template(_: Template, event: Event) -> Template:
    """What was saved last."""
    return cast(TemplateSaved, event)  # the only event there is


TEMPLATE: Decider[SaveTemplate, Any] = Decider(
    category="template",
    initial=NotSaved(),
    decide=decide_template,
    evolve=evolve_template,
    events=(TemplateSaved,),
)
