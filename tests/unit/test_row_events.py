"""Rows as events: what becomes of the columns, and by what an event is recognised."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from app.eventstore.port import Append
from app.kernel.clock import Clock
from app.kernel.errors import InputTooLarge, InvalidInput
from app.kernel.event import EventCatalogue, Metadata, NewEvent
from app.kernel.ids import derived_event_id
from app.kernel.time_zones import zone_named
from app.modules.customers.events import REGISTERED
from app.modules.interactions.incoming import MAX_EVENT_BYTES, Intake
from app.modules.interactions.row_events import Columns, RowEvents
from app.modules.interactions.rows import Row

COLUMNS = Columns("user", "event", "at")
ID_COLUMNS = Columns("user", "event", "at", "id")
ANN = {"user": "ann", "event": "Seen", "at": "2024-03-13 10:21:14", "page": "/", "id": "7"}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def importer(
    columns: Columns = COLUMNS, *, zone: str = "UTC", source: str = "import", secret: bytes = b"s"
) -> RowEvents:
    clock: Clock = lambda: NOON  # noqa: E731 - a clock that stands still
    intake = Intake(catalogue=EventCatalogue(REGISTERED), secret=secret, clock=clock)
    metadata = Metadata(correlation_id="import-1", source=source)
    return RowEvents(columns, zone_named(zone, field="zone"), intake, secret, metadata)


def row_of(cells: Mapping[str, str], **changed: str) -> Row:
    return Row(2, {**cells, **changed})


def json_row(**cells: Any) -> Row:
    values = {"user": "ann", "event": "Seen", "at": "2024-03-13", **cells}
    return Row(1, {name: Raw(json.dumps(value).encode()) for name, value in values.items()})


def event_of(append: Append) -> NewEvent:
    ((event,),) = [part.events for part in append.streams]
    return event


def test_named_columns_say_what_happened_to_whom_and_when_and_the_others_are_data() -> None:
    append = importer().append_of(row_of(ANN))
    event = event_of(append)
    assert append.streams[0].stream == "activity-ann"
    assert (event.customer_id, event.type) == ("ann", "Seen")
    assert event.occurred_at == datetime(2024, 3, 13, 10, 21, 14, tzinfo=UTC)
    assert json.loads(bytes(event.data)) == {"page": "/", "id": "7"}
    assert msgspec.json.decode(event.metadata) == {
        "correlation_id": "import-1",
        "source": "import",
        "fingerprint": append.fingerprint,
    }


def test_json_values_become_data_as_they_stand() -> None:
    raw = b'{"a": 1.50, "b": [1,  2]}'
    row = json_row()
    event = event_of(importer().append_of(Row(1, {**row.cells, "o": Raw(raw)})))
    assert bytes(event.data) == b'{"o":' + raw + b"}"


def test_json_may_say_ids_and_types_with_integers_and_times_with_numbers() -> None:
    row = json_row(user=42, event=7, at=1710325274.5, id=9)
    event = event_of(importer(ID_COLUMNS).append_of(row))
    assert (event.customer_id, event.type) == ("42", "7")
    assert event.occurred_at == datetime(2024, 3, 13, 10, 21, 14, 500_000, tzinfo=UTC)
    assert event.event_id == derived_event_id("import", "event", "9", 0)


def test_an_events_own_id_recognises_it_as_it_does_over_http() -> None:
    event = event_of(importer(ID_COLUMNS, source="default").append_of(row_of(ANN)))
    assert event.event_id == derived_event_id("default", "event", "7", 0)
    assert json.loads(bytes(event.data)) == {"page": "/"}


def ids(rows: list[Row], **options: Any) -> list[Any]:
    events = importer(**options)
    return [event_of(events.append_of(row)).event_id for row in rows]


def test_equal_rows_are_events_of_their_own_and_are_recognised_again() -> None:
    rows = [row_of(ANN), row_of(ANN, page="/cart"), row_of(ANN), row_of(ANN)]
    assert len(set(ids(rows))) == 4
    assert ids(rows) == ids(rows)


def test_the_order_of_the_rows_and_of_the_columns_does_not_matter() -> None:
    rows = [row_of(ANN), row_of(ANN, page="/cart"), row_of(ANN)]
    turned = [Row(1, dict(reversed(list(row.cells.items())))) for row in reversed(rows)]
    assert set(ids(rows)) == set(ids(turned))


@pytest.mark.parametrize(
    "options", [{"source": "other"}, {"secret": b"other"}, {"columns": ID_COLUMNS}]
)
def test_another_source_or_secret_or_an_id_makes_other_events(options: Any) -> None:
    assert not set(ids([row_of(ANN)])) & set(ids([row_of(ANN)], **options))


def test_a_row_read_in_another_zone_is_the_same_row_with_another_fingerprint() -> None:
    here = importer().append_of(row_of(ANN))
    there = importer(zone="Europe/Berlin").append_of(row_of(ANN))
    assert event_of(here).event_id == event_of(there).event_id
    assert here.fingerprint != there.fingerprint
    again = importer().append_of(row_of(ANN))
    assert here.fingerprint == again.fingerprint


def test_the_fingerprint_is_of_the_event_and_not_of_how_the_file_says_it() -> None:
    csv = importer(ID_COLUMNS).append_of(row_of(ANN))
    said_otherwise = json_row(at="2024-03-13T11:21:14+01:00", page="/", id=7)
    assert importer(ID_COLUMNS).append_of(said_otherwise).fingerprint == csv.fingerprint
    changed = importer(ID_COLUMNS).append_of(row_of(ANN, page="/cart"))
    assert changed.fingerprint != csv.fingerprint


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user": ""}, "customer_id"),
        ({"user": "~ann"}, "customer_id"),
        ({"user": "a/b"}, "customer_id"),
        ({"user": "a\0"}, "customer_id"),
        ({"user": "x" * 201}, "customer_id"),
        ({"event": ""}, "type"),
        ({"event": "a\nb"}, "type"),
        ({"event": "x" * 201}, "type"),
        ({"event": "customer.registered"}, "type"),
        ({"at": ""}, "occurred_at"),
        ({"at": "soon"}, "occurred_at"),
        ({"at": "2026-01-03"}, "occurred_at"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"page": "\0"}, "page"),
        ({"page": "\udcff"}, ""),
        ({"user": "\udcff"}, ""),
        ({"$tidings": "x"}, "data"),
    ],
)
def test_what_is_no_event_over_http_is_none_in_a_file(changed: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        importer(ID_COLUMNS).append_of(row_of(ANN, **changed))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user": None}, "customer_id"),
        ({"user": 1.5}, "customer_id"),
        ({"user": True}, "customer_id"),
        ({"event": {}}, "type"),
        ({"at": None}, "occurred_at"),
        ({"at": False}, "occurred_at"),
        ({"at": 0}, "occurred_at"),
        ({"id": []}, "id"),
        ({"$tidings": 1}, "data"),
        ({"a": {"$tidings_x": 1}}, "data"),
    ],
)
def test_what_is_no_event_in_json_is_told_by_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        importer(ID_COLUMNS).append_of(json_row(**{"id": "7", **changed}))
    assert refused.value.field == field


def test_a_column_that_a_json_row_lacks_is_missing() -> None:
    row = json_row()
    with pytest.raises(InvalidInput, match="missing"):
        importer(ID_COLUMNS).append_of(row)


def test_backslashes_that_only_look_like_a_nul_are_kept() -> None:
    event = event_of(importer().append_of(row_of(ANN, page="\\u0000")))
    assert json.loads(bytes(event.data))["page"] == "\\u0000"


def test_more_data_than_an_event_may_have_is_refused() -> None:
    with pytest.raises(InputTooLarge):
        importer().append_of(row_of(ANN, page="x" * MAX_EVENT_BYTES))
