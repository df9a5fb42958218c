"""The port of templates, and what is sent without one."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from app.kernel.errors import TidingsError


class CannotRender(TidingsError):
    """A template has no words for this."""


class Rendering(Struct, frozen=True):
    """What is to be put into words. What was sealed is opened in it."""

    template: str
    parameters: Mapping[str, Any]
    traits: Mapping[str, Any]
    """The customer's; `language` among them."""


class Rendered(Struct, frozen=True):
    """The words."""

    text: str
    subject: str | None = None
    html: str | None = None


Render = Callable[[Rendering], Awaitable[Rendered]]
"""Puts into words; raises `CannotRender`. Bounded in time and size."""


async def no_templates(rendering: Rendering) -> Rendered:
    """Where there are none."""
    raise CannotRender(f"there is no template {rendering.template}")
