"""The rows of a CSV or JSON Lines file, by line number; what is no row is told of and passed over.

CSV is strict (RFC 4180, UTF-8, commas): a header line, a cell for each of its columns, nothing
after a closing quotation mark. A row may span lines within quotation marks. When one goes wrong,
its first line alone is at fault and the lines after it are read anew, so that a quotation mark too
many does not swallow the rows behind it.
"""

import csv
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Protocol

from msgspec import Raw, Struct
from msgspec.json import Decoder

from app.http.decoding import decode_json
from app.kernel.errors import InvalidInput
from app.modules.interactions.input_file import MAX_LINE_BYTES

MAX_ROW_BYTES = 512 * 1024
MAX_ROWS_HELD = 100
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


class RowParser(Protocol):
    """Turns lines, as they come, into rows. An iterator must be used up before the next call."""

    def feed(self, lines: list[bytes]) -> Iterator[Row | BadRow]:
        """The rows that end in these lines. Raises `InvalidInput` for a file of another kind."""
        ...

    def end(self) -> Iterator[Row | BadRow]:
        """The rows that the end of the file ends. Raises `InvalidInput` as `feed` does."""
        ...


Batches = AsyncIterator[Iterator[Row | BadRow]]
"""Rows as they come; an iterator without any while they do not."""

_decoder: Decoder[Mapping[str, str | Raw]] = Decoder(dict[str, Raw])


async def read_rows(
    lines: AsyncIterator[list[bytes]], name: str, columns: Mapping[str, str]
) -> Batches:
    """The rows of a file's lines, in order.

    JSON Lines is told by the file's name (.jsonl, .ndjson, .json; before .gz), else by a first
    character ``{``; anything else is CSV. `columns` are those that must be there, by the option
    that names each. Raises `InvalidInput` when one is not, and for a file of another kind; and what
    reading the lines raises.
    """
    parser = None
    async for batch in lines:
        if batch and parser is None:
            parser = parser_of(name, batch[0], columns)
            batch[0] = batch[0].removeprefix(_BOM)
        yield parser.feed(batch) if parser else iter(())
    yield (parser or parser_of(name, b"", columns)).end()


def parser_of(name: str, first: bytes, columns: Mapping[str, str]) -> RowParser:
    """What parses a file of this name and first line. Raises `InvalidInput`."""
    if first.startswith(_UTF_16_BOMS):
        raise InvalidInput(f"{name} is UTF-16; save it as UTF-8")
    start = first.removeprefix(_BOM).lstrip()[:1]
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    if suffix in _JSON_SUFFIXES and start == b"[":
        raise InvalidInput(f"{name} is one JSON array; JSON Lines has an object on each line")
    is_json = suffix in _JSON_SUFFIXES or (suffix != ".csv" and start == b"{")
    return JsonLines(columns) if is_json else Csv(columns)


def _check_columns(present: Iterable[str], columns: Mapping[str, str]) -> None:
    names = sorted(present)
    for option, column in columns.items():
        if column not in names:
            shown = ", ".join(map(repr, names[:MAX_COLUMNS_NAMED]))
            more = ", …" if len(names) > MAX_COLUMNS_NAMED else ""
            raise InvalidInput(
                f"there is no column {column!r}; there are: {shown}{more}", field=option
            )


class JsonLines:
    """An object a line. A row may lack a column; one that none has is a mistake in its name."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """`columns` must be there, by the option that names each."""
        self._columns = columns
        self._line = 0
        self._unseen = set(columns.values())
        self._seen: set[str] = set()
        self._held: list[Row | BadRow] = []

    def feed(self, lines: list[bytes]) -> Iterator[Row | BadRow]:
        """See `RowParser.feed`."""
        for line in lines:
            self._line += 1
            if line.isspace():
                continue
            row = _json_row(self._line, line)
            if not self._unseen:
                yield row
            else:
                yield from self._look_for_columns(row)

    def end(self) -> Iterator[Row | BadRow]:
        """See `RowParser.end`."""
        if self._seen:
            _check_columns(self._seen, self._columns)
        yield from self._held

    def _look_for_columns(self, row: Row | BadRow) -> Sequence[Row | BadRow]:
        """Hold the first rows back until every column was seen."""
        self._held.append(row)
        if isinstance(row, Row):
            self._unseen -= row.cells.keys()
            self._seen |= row.cells.keys()
        if self._unseen and len(self._held) < MAX_ROWS_HELD:
            return ()
        if self._seen:
            _check_columns(self._seen, self._columns)
        held, self._held = self._held, []
        return held


def _json_row(number: int, line: bytes) -> Row | BadRow:
    if len(line) > MAX_LINE_BYTES:
        return BadRow(number, _TOO_LONG)
    try:
        return Row(number, decode_json(_decoder, line))
    except InvalidInput as error:
        return BadRow(number, str(error).replace(" at line 1, column ", " at character "))


class Csv:
    """A header line, and a row a line, or several within quotation marks."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """`columns` must be there, by the option that names each."""
        self._columns = columns
        self._names: list[str] | None = None
        self._lines = _RepeatableLines()

    def feed(self, lines: list[bytes]) -> Iterator[Row | BadRow]:
        """See `RowParser.feed`."""
        self._lines.more(lines)
        return self._rows()

    def end(self) -> Iterator[Row | BadRow]:
        """See `RowParser.end`."""
        self._lines.is_ended = True
        yield from self._rows()
        if self._names is None:
            raise InvalidInput("there is no header line")

    def _rows(self) -> Iterator[Row | BadRow]:
        for number, cells in self._records():
            if self._names is None:
                self._names = _column_names(number, cells)
                _check_columns(self._names, self._columns)
            elif isinstance(cells, str):
                yield BadRow(number, cells)
            elif len(cells) != len(self._names):
                yield BadRow(number, f"it has {len(cells)} cells, the header {len(self._names)}")
            else:
                yield Row(number, dict(zip(self._names, cells, strict=True)))

    def _records(self) -> Iterator[tuple[int, list[str] | str]]:
        """Each record's first line and its cells, or why it has none; blank lines are nothing."""
        lines = self._lines
        reader = csv.reader(lines.texts(), strict=True)
        while True:
            number = lines.begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if lines.is_waiting:
                    lines.read_anew(0)  # its end has not come yet
                    return
                lines.read_anew(1)
                reader = csv.reader(lines.texts(), strict=True)
                yield number, str(error)
            else:
                if cells:
                    yield number, cells


def _column_names(number: int, header: Sequence[str] | str) -> list[str]:
    if isinstance(header, str):
        raise InvalidInput(f"the header on line {number} cannot be read: {header}")
    names = [name or f"column_{number}" for number, name in enumerate(header, 1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidInput(f"{count} columns are named {name!r}")
    return names


class _RepeatableLines:
    """Lines as text, for the CSV reader; those of the record in hand can be read anew."""

    def __init__(self) -> None:
        self.is_ended = False
        """Whether no more lines will come."""
        self.is_waiting = False
        """Whether the record in hand wants lines that may still come."""
        self._number = 0
        self._lines: deque[bytes] = deque()
        self._record: list[bytes] = []
        self._record_bytes = 0

    def more(self, lines: Iterable[bytes]) -> None:
        """Add what has come."""
        self._lines.extend(lines)

    def begin_record(self) -> int:
        """Forget the lines of the last record; the number of the next one's first."""
        self._record.clear()
        self._record_bytes = 0
        self.is_waiting = False
        return self._number + 1

    def read_anew(self, first: int) -> None:
        """Go back to a line of the record in hand, counted from 0."""
        again = self._record[first:]
        self._lines.extendleft(reversed(again))
        self._number -= len(again)

    def texts(self) -> Iterator[str]:
        """The lines that have come, in turn."""
        while self._lines:
            line = self._lines.popleft()
            self._number += 1
            self._record.append(line)
            self._record_bytes += len(line)
            if len(line) > MAX_LINE_BYTES:
                raise csv.Error(_TOO_LONG)
            if self._record_bytes > MAX_ROW_BYTES:
                raise csv.Error("a quotation mark is not closed, or the row is too long")
            # What is no UTF-8 survives until the row is encoded, and is refused there, alone.
            yield line.decode(errors="surrogateescape")
        self.is_waiting = not self.is_ended
