"""A row as an event: which columns say what, and by what a row is recognised that comes again."""

import re
from datetime import tzinfo
from hashlib import blake2b

from msgspec import UNSET, Raw, Struct
from msgspec.json import Decoder, Encoder

from app.eventstore.port import Append
from app.http.body import check_json_body
from app.kernel.errors import InvalidInput
from app.kernel.event import Metadata
from app.kernel.fingerprint import FINGERPRINT_BYTES, keyed_digest
from app.modules.interactions.incoming import EventKey, IncomingEvent, Intake, check_size
from app.modules.interactions.rows import Row
from app.modules.interactions.times import instant_of

_INTEGER = re.compile(r"-?[0-9]+")
_BACKSLASH = ord("\\")  # `in` finds a byte fastest by its number

# Keys in one order, whatever the file's: a row is recognised when columns have changed places.
_encoder = Encoder(order="deterministic")
_text_decoder = Decoder(str)


class Columns(Struct, frozen=True):
    """The columns that say more than data."""

    customer: str
    type: str
    occurred_at: str
    id: str | None = None

    def by_option(self) -> dict[str, str]:
        """Their names, by the option of the command that gives each."""
        named = {
            "--customer": self.customer,
            "--type": self.type,
            "--occurred-at": self.occurred_at,
        }
        return named if self.id is None else {**named, "--id": self.id}

    def column_of(self, field: str) -> str | None:
        """The column that an event's field comes from; None for all of them together."""
        columns = {
            "": None,
            "data": None,
            "customer_id": self.customer,
            "type": self.type,
            "occurred_at": self.occurred_at,
            "id": self.id,
        }
        return columns.get(field, field)


class RowEvents:
    """Turns a file's rows, in order, into appends: by the same rules as events sent over HTTP.

    An event is recognised by its id; without a column for it, by the content of its row and by how
    many equal rows stand before it in the file. For this a digest a row is kept in memory, about
    110 MB for a million rows; with ids nothing is kept.
    """

    def __init__(
        self, columns: Columns, zone: tzinfo, intake: Intake, secret: bytes, metadata: Metadata
    ) -> None:
        """`zone` is that of times without an offset; the secret keys the digests of rows."""
        self._columns = columns
        self._named = set(columns.by_option().values())
        self._zone = zone
        self._intake = intake
        self._metadata = metadata
        # Copied for each row: as good a keyed digest as an HMAC, at a fifth of its time.
        self._row_digest = _digest(keyed_digest(secret, "row"))
        self._fingerprint = _digest(keyed_digest(secret, "event of a row"))
        self._equal_rows: dict[bytes, int] = {}

    def append_of(self, row: Row) -> Append:
        """The append that records the row's event. Raises `InvalidInput`."""
        customer_id = _text(row, self._columns.customer, "customer_id")
        event_type = _text(row, self._columns.type, "type")
        when = _text(row, self._columns.occurred_at, "occurred_at", numbers=True)
        event_id = _text(row, self._columns.id, "id") if self._columns.id else UNSET
        data = self._data_of(row)
        # Counted before the time is understood, so that no option changes a row's number.
        key = None if event_id else self._content_key((customer_id, event_type, when, data))
        occurred_at = instant_of(when, self._zone)
        mark = self._fingerprint.copy()
        mark.update(_encoded((customer_id, event_type, occurred_at, data)))
        return self._intake.append_of_event(
            IncomingEvent(event_type, data, event_id, customer_id, occurred_at=occurred_at),
            self._metadata,
            key,
            mark.hexdigest(),
        )

    def _content_key(self, content: tuple[str, str, str, Raw]) -> EventKey:
        hashed = self._row_digest.copy()
        hashed.update(_encoded(content))
        digest = hashed.digest()
        number = self._equal_rows.get(digest, 0)
        self._equal_rows[digest] = number + 1
        return EventKey("row", digest.hex(), number)

    def _data_of(self, row: Row) -> Raw:
        cells = dict(row.cells)
        for column in self._named:
            cells.pop(column, None)
        data = _encoded(cells)
        check_size(data)
        # The one thing that text may hold and no event may; a line of JSON has been checked whole.
        if _BACKSLASH in data and b"\\u0000" in data:
            check_json_body(data)
        return Raw(data)


def _digest(key: bytes) -> blake2b:
    return blake2b(key=key, digest_size=FINGERPRINT_BYTES)


def _encoded(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        raise InvalidInput("it is not UTF-8") from None


def _text(row: Row, column: str, field: str, *, numbers: bool = False) -> str:
    """A cell as text. JSON may say it with a string or an integer; a time, with any number."""
    cell = row.cells.get(column, "")
    text = cell if isinstance(cell, str) else _text_of_json(bytes(cell), field, numbers=numbers)
    if not text:
        raise InvalidInput("it is missing", field=field)
    return text


def _text_of_json(cell: bytes, field: str, *, numbers: bool) -> str:
    if cell.startswith(b'"'):
        return _text_decoder.decode(cell)
    text = cell.decode()
    if text == "null":
        return ""
    if _INTEGER.fullmatch(text) or (numbers and text[0] in "-0123456789"):
        return text
    raise InvalidInput("it is neither a string nor an integer", field=field)
