"""Every projection there is, one line each."""

from typing import Any

from app.kernel.errors import NotFound
from projections.customers import CUSTOMERS
from projections.projection import Projection
from projections.timeline import TIMELINE

PROJECTIONS: tuple[Projection[Any], ...] = (TIMELINE, CUSTOMERS)


def projection_named(name: str) -> Projection[Any]:
    """The projection with this name, or `NotFound`."""
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    raise NotFound(f"there is no projection {name!r}")
