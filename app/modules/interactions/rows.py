"""The rows of a CSV or JSON Lines file, by line number; what is no row is told of and passed over.

CSV is strict (RFC 4180, UTF-8, commas): a header line, a cell for each of its columns, nothing
after a closing quotation mark. A row may span lines within quotation marks. When one goes wrong,
its first line alone is at fault and the lines after it are read anew, so that a quotation mark too
many does not swallow the rows behind it.
"""

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePath

from msgspec import Raw, Struct
from msgspec.json import Decoder

from app.http.decoding import decode_json
from app.kernel.errors import InvalidInput
from app.modules.interactions.input_file import MAX_LINE_BYTES

MAX_ROW_BYTES = 512 * 1024
MAX_ROWS_LOOKED_AT_FIRST = 100
MAX_COLUMNS_NAMED = 20

_BOM = b"\xef\xbb\xbf"
_UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}
_TOO_LONG = f"a line has at most {MAX_LINE_BYTES} bytes"


class Row(Struct, frozen=True):
    """A row, its cells by column: text from CSV, JSON as it stands from JSON Lines."""

    line: int
    """The number of its first line, from 1."""
    cells: Mapping[str, str | Raw]


class BadRow(Struct, frozen=True):
    """What stands where a row should, and why it is none."""

    line: int
    reason: str


Rows = Iterator[Row | BadRow]

_decoder: Decoder[Mapping[str, str | Raw]] = Decoder(dict[str, Raw])


def read_rows(lines: Iterator[bytes], name: str, columns: Mapping[str, str]) -> Rows:
    """The rows of a file's lines, in order.

    JSON Lines is told by the file's name (.jsonl, .ndjson, .json; before .gz), else by a first
    character ``{``; anything else is CSV. `columns` are those that must be there, by the option
    that names each. Raises `InvalidInput` when one is not, and for a file of another kind.
    """
    first = next(lines, b"")
    if first.startswith(_UTF_16_BOMS):
        raise InvalidInput(f"{name} is UTF-16; save it as UTF-8")
    lines = chain([first.removeprefix(_BOM)], lines)
    return _json_rows(lines, columns) if _is_json(name, first) else _csv_rows(lines, columns)


def _is_json(name: str, first: bytes) -> bool:
    start = first.removeprefix(_BOM).lstrip()[:1]
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    if suffix in _JSON_SUFFIXES and start == b"[":
        raise InvalidInput(f"{name} is one JSON array; JSON Lines has an object on each line")
    return suffix in _JSON_SUFFIXES or (suffix != ".csv" and start == b"{")


def _check_columns(present: Iterable[str], columns: Mapping[str, str]) -> None:
    names = sorted(present)
    for option, column in columns.items():
        if column not in names:
            shown = ", ".join(map(repr, names[:MAX_COLUMNS_NAMED])) + ", …" * (
                len(names) > MAX_COLUMNS_NAMED
            )
            raise InvalidInput(f"there is no column {column!r}; there are: {shown}", field=option)


def _json_rows(lines: Iterator[bytes], columns: Mapping[str, str]) -> Rows:
    rows = (
        _json_row(number, line)
        for number, line in enumerate(lines, 1)
        if line and not line.isspace()
    )
    # A row may lack a column, and is bad then; but a column that none has is a mistake in its name.
    first = list(islice(rows, MAX_ROWS_LOOKED_AT_FIRST))
    if good := [row for row in first if isinstance(row, Row)]:
        _check_columns({column for row in good for column in row.cells}, columns)
    return chain(first, rows)


def _json_row(number: int, line: bytes) -> Row | BadRow:
    if len(line) > MAX_LINE_BYTES:
        return BadRow(number, _TOO_LONG)
    try:
        return Row(number, decode_json(_decoder, line))
    except InvalidInput as error:
        return BadRow(number, str(error).replace(" at line 1, column ", " at character "))


def _csv_rows(lines: Iterator[bytes], columns: Mapping[str, str]) -> Rows:
    records = _csv_records(lines)
    header = next(records, None)
    if header is None:
        raise InvalidInput("there is no header line")
    number, cells = header
    if isinstance(cells, str):
        raise InvalidInput(f"the header on line {number} cannot be read: {cells}")
    names = _column_names(cells)
    _check_columns(names, columns)
    return (_csv_row(number, cells, names) for number, cells in records)


def _column_names(header: Sequence[str]) -> list[str]:
    names = [name or f"column_{number}" for number, name in enumerate(header, 1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidInput(f"{count} columns are named {name!r}")
    return names


def _csv_row(number: int, cells: list[str] | str, names: Sequence[str]) -> Row | BadRow:
    if isinstance(cells, str):
        return BadRow(number, cells)
    if len(cells) != len(names):
        return BadRow(number, f"it has {len(cells)} cells and the header {len(names)}")
    return Row(number, dict(zip(names, cells, strict=True)))


def _csv_records(lines: Iterator[bytes]) -> Iterator[tuple[int, list[str] | str]]:
    """Each record's first line number and cells, or why it has none; blank lines are nothing."""
    text = _RepeatableLines(lines)
    reader = csv.reader(text, strict=True)
    while True:
        text.begin_record()
        number = text.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text.read_anew_after_first()
            yield number, str(error)
        else:
            if cells:
                yield number, cells


class _RepeatableLines:
    """Lines as text, for the CSV reader; those of the record in hand can be read anew."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.number = 0
        self._lines = lines
        self._again: deque[bytes] = deque()
        self._record: list[bytes] = []
        self._record_bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.number += 1
        self._record.append(line)
        self._record_bytes += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error(_TOO_LONG)
        if self._record_bytes > MAX_ROW_BYTES:
            raise csv.Error("a quotation mark is not closed, or the row is too long")
        # What is no UTF-8 survives until the row is encoded, and is refused there, alone.
        return line.decode(errors="surrogateescape")

    def begin_record(self) -> None:
        """Forget the lines of the last record."""
        self._record.clear()
        self._record_bytes = 0

    def read_anew_after_first(self) -> None:
        """Go back to the second line of the record in hand."""
        again = self._record[1:]
        self._again.extendleft(reversed(again))
        self.number -= len(again)
