"""What is wrong with a body is said with its place."""

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Decoder

from app.http.decoding import decode_json, detail_and_field
from app.kernel.errors import InvalidInput


class Line(msgspec.Struct, forbid_unknown_fields=True):
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)] = 1


class Order(msgspec.Struct, forbid_unknown_fields=True):
    lines: list[Line]
    notes: dict[str, Line] = {}


decoder = Decoder(Order)


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (b'{"lines": 1}', "lines", "Expected `array`, got `int`"),
        (b'{"lines": [{"sku": "a"}, {"sku": 1}]}', "lines[1].sku", "Expected `str`, got `int`"),
        (b'{"lines": [{"sku": "a", "quantity": 0}]}', "lines[0].quantity", "Expected `int` >= 1"),
        (b'{"lines": [{"sku": "a", "quantity": "1"}]}', "lines[0].quantity", "got `str`"),
        (b"{}", "lines", "missing required field `lines`"),
        (b'{"lines": [{}]}', "lines[0].sku", "missing required field `sku`"),
        (b'{"lines": [], "x": 1}', "x", "unknown field `x`"),
        (b'{"lines": [{"sku": "a", "x": 1}]}', "lines[0].x", "unknown field `x`"),
        (b'{"lines": [], "notes": {"n": {"sku": 1}}}', "notes[...].sku", "got `int`"),
        (b"[]", "", "Expected `object`, got `array`"),
    ],
)
def test_the_field_at_fault_is_named(body: bytes, field: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_json(decoder, body)

    assert refused.value.field == field
    assert detail in str(refused.value)
    assert "$" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"lines": [}', "line 1, column 12"),
        (b'{\n  "lines": [],\n}', "line 3, column 1"),
        (b'{"lines": [] "notes"', "line 1, column 14"),
        (b'{"lines": NaN}', "line 1, column 11"),
        (b'{"lines": []', "ends before it is complete"),
        (b"", "ends before it is complete"),
    ],
)
def test_the_place_of_broken_json_is_named(body: bytes, place: str) -> None:
    with pytest.raises(InvalidInput, match=place):
        decode_json(decoder, body)


@pytest.mark.parametrize("body", [b'{"a": 1e999}', rb'["\u0000"]', b"[" * 100 + b"]" * 100])
def test_an_unfit_body_is_not_even_decoded(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_json(Decoder(msgspec.Raw), body)


@given(st.one_of(st.binary(max_size=100), st.text('{}[]"\\lines:,0e1. \n').map(str.encode)))
def test_whatever_is_sent_is_decoded_or_refused(body: bytes) -> None:
    decoders: list[Decoder[Any]] = [Decoder(Any), Decoder(msgspec.Raw), decoder]
    for each in decoders:
        try:
            decode_json(each, body)
        except InvalidInput:
            continue


def test_a_message_without_a_path_stands_alone() -> None:
    assert detail_and_field("Expected `int`") == ("Expected `int`", "")
