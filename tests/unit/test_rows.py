"""Rows of CSV and JSON Lines: what is read, and what is told of instead."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from app.kernel.errors import InvalidInput
from app.modules.interactions.input_file import MAX_LINE_BYTES
from app.modules.interactions.rows import MAX_ROWS_HELD, BadRow, Row, parser_of, read_rows

USER = {"--customer": "user"}


def parse(*batches: Sequence[bytes], name: str = "file") -> list[Row | BadRow]:
    """The rows of lines that come in batches; the first has the file's first line."""
    parser = parser_of(name, batches[0][0] if batches[0] else b"", USER)
    rows = [row for batch in batches for row in parser.feed(list(batch))]
    return [*rows, *parser.end()]


def lines_of(text: str | bytes) -> list[bytes]:
    return list(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def read(text: str | bytes, name: str = "file") -> list[Row | BadRow]:
    return parse(lines_of(text), name=name)


def cells(text: str | bytes, name: str = "file") -> list[dict[str, Any]]:
    rows = read(text, name)
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [
        {k: json.loads(bytes(v)) if isinstance(v, Raw) else v for k, v in row.cells.items()}
        for row in rows
        if isinstance(row, Row)
    ]


def bad(text: str | bytes, name: str = "file") -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(text, name) if isinstance(row, BadRow)]


def good_lines(text: str | bytes, name: str = "file") -> list[int]:
    return [row.line for row in read(text, name) if isinstance(row, Row)]


def test_cells_are_text_as_it_stands() -> None:
    assert cells("user,n,note\nann,007,\nbob, 1.50 ,x\n") == [
        {"user": "ann", "n": "007", "note": ""},
        {"user": "bob", "n": " 1.50 ", "note": "x"},
    ]


def test_quoted_cells_hold_commas_quotation_marks_and_line_ends() -> None:
    text = 'user,note\r\nann,"a ""b"", c\r\nsecond\nthird"\r\nbob,x\r\n'
    assert cells(text) == [
        {"user": "ann", "note": 'a "b", c\r\nsecond\nthird'},
        {"user": "bob", "note": "x"},
    ]
    assert good_lines(text) == [2, 5]


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["user\nann\n", '{"user":"ann"}\n'])
async def test_a_byte_order_mark_is_no_part_of_the_first_row(text: str) -> None:
    async def lines() -> AsyncIterator[list[bytes]]:
        yield []
        yield lines_of(b"\xef\xbb\xbf" + text.encode())

    rows = [row async for batch in read_rows(lines(), "file", USER) for row in batch]
    assert [isinstance(row, Row) and list(row.cells) for row in rows] == [["user"]]


def test_blank_lines_are_nothing_and_are_counted() -> None:
    assert good_lines("user\n\nann\n\n\nbob") == [3, 6]
    assert good_lines('{"user":1}\n\n \n{"user":2}') == [1, 4]


def test_a_column_without_a_name_is_named_by_its_number() -> None:
    assert cells(",user\n0,ann\n") == [{"column_1": "0", "user": "ann"}]


def test_a_row_of_another_width_is_bad_alone() -> None:
    text = "user,a\nann,1\nbob\ncid,1,2\ndan,2\n"
    assert bad(text) == [
        (3, "it has 1 cells, the header 2"),
        (4, "it has 3 cells, the header 2"),
    ]
    assert good_lines(text) == [2, 5]


def test_a_quotation_mark_that_is_never_closed_costs_its_own_line_only() -> None:
    text = 'user,a\nann,1\nbob,"2\ncid,3\ndan,4\n'
    assert [line for line, _ in bad(text)] == [3]
    assert good_lines(text) == [2, 4, 5]


def test_text_after_a_closing_quotation_mark_makes_its_line_bad() -> None:
    text = 'user,a\n"ann"a,1\nbob,2\n"cid\nx"y,3\n'
    assert [line for line, _ in bad(text)] == [2, 4]
    assert good_lines(text) == [3, 5]


def test_a_cell_beyond_the_limit_makes_its_line_bad() -> None:
    text = f"user,a\nann,{'x' * 200_000}\nbob,2\n"
    assert [line for line, _ in bad(text)] == [2]
    assert good_lines(text) == [3]


@pytest.mark.parametrize("name", ["file.csv", "file.jsonl"])
def test_a_line_beyond_the_limit_is_bad_alone(name: str) -> None:
    first = b"user\n" if name == "file.csv" else b'{"user":1}\n'
    good = b"ann\n" if name == "file.csv" else b'{"user":2}\n'
    rows = parse([first, b"x" * (MAX_LINE_BYTES + 1), good], name=name)
    assert [row.line for row in rows if isinstance(row, BadRow)] == [2]
    assert rows[-1].line == 3
    assert isinstance(rows[-1], Row)


def test_json_lines_keep_each_value_as_it_stands() -> None:
    text = '{"user":"ann","n":1.50,"big":12345678901234567890123,"o":{"a":[1, 2]},"x":null}\n'
    (row,) = read(text)
    assert isinstance(row, Row)
    assert {k: bytes(v) for k, v in row.cells.items() if isinstance(v, Raw)} == {
        "user": b'"ann"',
        "n": b"1.50",
        "big": b"12345678901234567890123",
        "o": b'{"a":[1, 2]}',
        "x": b"null",
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "Expected `object`, got `array`"),
        ('{"user":"ann"', "the JSON ends before it is complete"),
        ('{"user":"ann",}', "JSON is malformed"),
        ('{"user":NaN}', "JSON is malformed"),
        ('{"user":1e999}', "a number"),
        ('{"user":"\\u0000"}', "NUL"),
        ('{"user":"\\ud800"}', "surrogate"),
        ('{"user":' + "[" * 70 + "]" * 70 + "}", "deeper than 64"),
        (b'{"user":"\xff"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_no_json_object_is_bad_alone(line: str | bytes, reason: str) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    text = b'{"user":1}\n' + raw + b'\n{"user":2}\n'
    ((number, why),) = bad(text)
    assert number == 2
    assert reason in why
    assert good_lines(text) == [1, 3]


@pytest.mark.parametrize(
    ("name", "text", "is_json"),
    [
        ("a.jsonl", '{"user":1}', True),
        ("a.NDJSON", '{"user":1}', True),
        ("a.json.gz", '{"user":1}', True),
        ("a", ' {"user":1}', True),
        ("a.txt", '{"user":1}', True),
        ("a.csv", "user\n1", False),
        ("a.csv.gz", "user\n1", False),
        ("standard input", "user\n1", False),
    ],
)
def test_the_kind_is_told_by_the_name_or_by_the_first_character(
    name: str, text: str, is_json: bool
) -> None:
    assert cells(text, name) == [{"user": 1 if is_json else "1"}]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "", "no header line"),
        ("a.csv", "name,b\n1,2\n", "there is no column 'user'; there are: 'b', 'name'"),
        ("a.csv", "user,a,a\n", "2 columns are named 'a'"),
        ("a.csv", 'user,"a\n', "the header on line 1 cannot be read"),
        ("a.csv", b"\xff\xfeu\0s\0e\0r\0", "UTF-16"),
        ("a.json", "[\n", "one JSON array"),
        ("a.jsonl", '{"name":1}\n{"b":2}\n', "there is no column 'user'; there are: 'b', 'name'"),
    ],
)
def test_a_file_that_cannot_be_tried_is_refused_at_once(
    name: str, text: str | bytes, complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        read(text, name)


def test_a_missing_column_is_told_by_its_option() -> None:
    with pytest.raises(InvalidInput) as refused:
        read("name\n1\n")
    assert refused.value.field == "--customer"


def test_an_empty_file_of_json_lines_has_no_rows() -> None:
    assert read("", "a.jsonl") == []


def test_a_column_that_only_some_json_rows_have_is_no_mistake() -> None:
    text = '{"a":1}\n' * (MAX_ROWS_HELD - 1) + '{"user":1}\n'
    assert good_lines(text, "a.jsonl") == list(range(1, MAX_ROWS_HELD + 1))
    with pytest.raises(InvalidInput, match="no column 'user'"):
        read('{"a":1}\n' + text, "a.jsonl")


def test_a_file_in_which_no_line_is_a_row_is_told_of_line_by_line() -> None:
    assert [line for line, _ in bad("1\n" * 3, "a.jsonl")] == [1, 2, 3]
    assert len(bad("1\n" * (MAX_ROWS_HELD + 3), "a.jsonl")) == MAX_ROWS_HELD + 3


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(texts, min_size=3, max_size=3), max_size=8), st.booleans())
def test_whatever_a_csv_writer_writes_is_read(rows: list[list[str]], is_unix: bool) -> None:
    file = io.StringIO()
    # Older writers leave a lone carriage return unquoted when lines do not end in one.
    style: dict[str, Any] = {"lineterminator": "\n", "quoting": csv.QUOTE_ALL} if is_unix else {}
    csv.writer(file, **style).writerows([["user", "a", "b"], *rows])
    expected = [dict(zip(("user", "a", "b"), row, strict=True)) for row in rows]
    got = [row.cells for row in read(file.getvalue(), "a.csv") if isinstance(row, Row)]
    assert got == expected


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.text(st.sampled_from('a,"\r{}[]:1\\'), max_size=12).map(str.encode),
        ),
        max_size=8,
    ),
    st.sampled_from(["a.csv", "a.jsonl"]),
)
def test_whatever_stands_in_a_file_each_line_is_a_row_or_told_of(
    lines: list[bytes], name: str
) -> None:
    first = b"user\n" if name == "a.csv" else b'{"user":1}\n'
    batch = [first, *(line.replace(b"\n", b"") + b"\n" for line in lines)]
    rows = parse(batch, name=name)
    numbers = [row.line for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(lines) + 1 for number in numbers)
    assert parse(*([line] for line in batch), name=name) == rows
