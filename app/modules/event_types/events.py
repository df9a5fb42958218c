"""What happens to the types of events that services send."""

from typing import Any, ClassVar

from app.kernel.event import Event


class EventTypeDeclared(Event, frozen=True):
    """What events of a type look like, from now on; all of it, whatever was said before."""

    tag: ClassVar[str] = "event_type.declared"
    title: ClassVar[str] = "Declared a type of events"
    is_administrative: ClassVar[bool] = True

    schema: Any = None
    """A JSON Schema of the data (draft 2020-12); None: anything fits."""
    title_template: str | None = None
    kind: str | None = None
    sensitive: tuple[str, ...] = ()


REGISTERED = (EventTypeDeclared,)
"""The event types of this module, for the catalogue."""
