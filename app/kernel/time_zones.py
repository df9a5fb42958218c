"""Time zones by their names."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.kernel.errors import InvalidInput


def zone_named(name: str, *, field: str) -> tzinfo:
    """The time zone of an IANA name, such as ``Europe/Berlin``. Raises `InvalidInput`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {name!r}", field=field) from None
