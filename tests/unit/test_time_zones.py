"""Time zones are those that have an IANA name."""

from datetime import UTC, datetime, timedelta

import pytest

from app.kernel.errors import InvalidInput
from app.kernel.time_zones import zone_named


def test_a_zone_is_found_by_its_name() -> None:
    assert zone_named("UTC", field="zone") is UTC
    noon = datetime(2026, 7, 1, 12, tzinfo=zone_named("Europe/Berlin", field="zone"))
    assert noon.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "x\0", "é"],
)
def test_what_is_no_time_zone_is_refused_by_field(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone") as refused:
        zone_named(name, field="time_zone")
    assert refused.value.field == "time_zone"
