"""JSON into types, with errors that say where: by field, or by line and column."""

import re
from typing import TypeVar

from msgspec import DecodeError, ValidationError
from msgspec.json import Decoder

from app.http.body import check_json_body
from app.kernel.errors import InvalidInput
from app.kernel.forms import FORMS

T = TypeVar("T")

_AT_PATH = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_AT_BYTE = re.compile(r" \(byte (\d+)\)$")
_OTHER_FORM = re.compile(r"Expected `str` matching regex ('.*')(?=$| - at )")
_WRONG_FORM = "the text is not of the form that the documentation gives"
_FORMS = {repr(pattern): words for pattern, words in FORMS.items()}
_OWN_FIELD = re.compile(r"^Object (?:contains unknown|missing required) field `(.+?)`")


def decode_json(decoder: Decoder[T], body: bytes) -> T:
    """The body as the decoder's type; `InvalidInput` when unfit, no JSON or not of that type."""
    check_json_body(body)
    try:
        return decoder.decode(body)
    except DecodeError as error:
        raise invalid_input(error, body) from None


def invalid_input(error: DecodeError, body: bytes = b"") -> InvalidInput:
    """What msgspec found wrong, as an error of ours; a place by byte becomes line and column."""
    if isinstance(error, ValidationError):
        said = _OTHER_FORM.sub(lambda found: _FORMS.get(found[1], _WRONG_FORM), str(error))
        detail, field = detail_and_field(said)
        return InvalidInput(detail, field=field)
    message = str(error)
    if message == "Input data was truncated":
        return InvalidInput("the JSON ends before it is complete")
    found = _AT_BYTE.search(message)
    if found is None:
        return InvalidInput(message)
    before = body[: int(found[1])]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return InvalidInput(f"{message[: found.start()]} at line {line}, column {column}")


def detail_and_field(message: str) -> tuple[str, str]:
    """Part a validation message of msgspec from its path: ``$.foo[3].bar`` becomes foo[3].bar.

    A field that is missing or unknown is itself the last part of the path.
    """
    found = _AT_PATH.search(message)
    detail, path = (message[: found.start()], found[1]) if found else (message, "")
    own = _OWN_FIELD.match(detail)
    if own is None:
        return detail, path
    return detail, f"{path}.{own[1]}" if path else own[1]
