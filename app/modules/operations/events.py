"""What operators ask of read models. It is recorded before it is done, and whatever comes of it."""

from typing import ClassVar

from app.kernel.event import Event
from app.kernel.ids import stream_name

CATEGORY = "projection"


class ProjectionAct(Event, frozen=True):
    """The base of these events: each is about one projection, and stands in its stream."""

    is_administrative: ClassVar[bool] = True

    projection: str

    @property
    def stream(self) -> str:
        """Such as ``projection-timeline``."""
        return stream_name(CATEGORY, self.projection)


class RebuildRequested(ProjectionAct, frozen=True):
    """Somebody wants it made anew from the log."""

    tag: ClassVar[str] = "projection.rebuild_requested"
    title: ClassVar[str] = "Asked for a rebuild of {projection}"

    accept_differences: bool = False
    drop_old: bool = False
    throttle: float | None = None
    """Events a second; None: no limit."""


class RollbackRequested(ProjectionAct, frozen=True):
    """Somebody wants queries to read the former generation again."""

    tag: ClassVar[str] = "projection.rollback_requested"
    title: ClassVar[str] = "Asked for the former generation of {projection}"


class ReshardRequested(ProjectionAct, frozen=True):
    """Somebody wants its work shared among so many shards."""

    tag: ClassVar[str] = "projection.reshard_requested"
    title: ClassVar[str] = "Asked for {shards} shards of {projection}"

    shards: int


class RetryRequested(ProjectionAct, frozen=True):
    """Somebody wants what is left out of a key applied."""

    tag: ClassVar[str] = "projection.retry_requested"
    title: ClassVar[str] = "Asked to retry what {projection} leaves out"

    key: str | None
    """None: of all parked keys."""


class SkipRequested(ProjectionAct, frozen=True):
    """Somebody wants the first event that is left out of a key left out for good."""

    tag: ClassVar[str] = "projection.skip_requested"
    title: ClassVar[str] = "Asked to skip an event in {projection}"

    key: str


REGISTERED = (
    RebuildRequested,
    RollbackRequested,
    ReshardRequested,
    RetryRequested,
    SkipRequested,
)
"""The module's event types, for the catalogue."""
