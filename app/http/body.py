r"""What a JSON body must be before anything decodes it.

Decoders and jsonb are less careful than one would like: the first recurse, and let `\u0000` and
compact numbers such as `1e-20000` through, which the second refuses or expands. Everything here is
a handful of C-speed passes over the bytes; an ordinary body never leaves the first few.
"""

import re
from itertools import accumulate
from math import inf

from app.http.locating import Number, field_with
from app.kernel.errors import InvalidInput

# As numbers, for of one byte given as bytes `in` asks first whether it is a number, at eight times
# the cost of the search.
_NUL = 0
_BACKSLASH = ord("\\")

MAX_DEPTH_LEVELS = 64
MAX_EXPONENT = 308
MAX_DIGITS_IN_A_ROW = 308

_SURROGATE_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SPACE = rb"\u0020"
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")

# With every digit written as 0 and the signs gone, a body shows at once that it has no exponent of
# three digits, and no number of so many digits that an exponent of two could make it overflow.
_TO_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_THREE_DIGIT_EXPONENT = b"0e000"
_MANY_DIGITS = b"0" * 200

_NUMBER = re.compile(rb"[0-9]++(?:\.[0-9]*+)?+(?:[eE][+-]?+[0-9]++)?+")
_LARGE_EXPONENT = re.compile(rb"[eE][+-]?+0*+(?:[1-9][0-9]{3}|[4-9][0-9]{2}|3[1-9][0-9]|309)")
_TOO_MANY_DIGITS = re.compile(rb"[0-9]{309}")

_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_TO_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")


def check_json_body(body: bytes) -> None:
    r"""Refuse, with `InvalidInput`, a body that is not fit to be decoded and stored.

    It must be UTF-8, without NUL (raw or as ``\u0000``) and without half a surrogate pair, nest at
    most 64 deep, and hold only numbers that a double can hold, without an exponent beyond 308 or
    more than 308 digits in a row. That it is JSON at all is for the decoder to say.
    """
    if not body.isascii():
        _check_utf8(body)
    if _NUL in body:
        raise InvalidInput(f"byte {body.index(_NUL)} is NUL")
    if _BACKSLASH in body and b"\\u" in body:  # one byte is looked for much faster than two
        _check_escapes(body)
    may_be_deep = body.count(b"{") + body.count(b"[") > MAX_DEPTH_LEVELS
    if may_be_deep or _may_hold_a_large_number(body):
        _check_structure(body, may_be_deep=may_be_deep)


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"byte {error.start} is not UTF-8: {error.reason}") from None


def _check_escapes(body: bytes) -> None:
    r"""Look at ``\u`` escapes, after putting aside the backslashes that are themselves escaped."""
    escapes = body.replace(b"\\\\", b"__")
    if b"\\u0000" in escapes:
        field = field_with(body, lambda text: "\0" in text)
        raise InvalidInput(r"a string holds the character NUL (\u0000)", field=field)
    if b"\\ud" in escapes or b"\\uD" in escapes:
        unpaired = _SURROGATE.search(_SURROGATE_PAIR.sub(b"__", escapes))
        if unpaired:
            field = field_with(body, _HALF_A_PAIR.search)
            raise InvalidInput(
                r"a string holds half a surrogate pair (\ud800 to \udfff)", field=field
            )


def with_whole_pairs(body: bytes) -> bytes:
    r"""The body with ``\u0020`` for each half of a surrogate pair, and all else where it was.

    Decoders stop at a half wherever it stands; so one can see at least what stands around it.
    """
    escapes = body.replace(b"\\\\", b"__")
    paired = _SURROGATE_PAIR.sub(lambda pair: b"_" * len(pair[0]), escapes)
    whole = bytearray(body)
    for half in _SURROGATE.finditer(paired):
        whole[half.start() : half.start() + len(_SPACE)] = _SPACE
    return bytes(whole[: len(body)])


def _may_hold_a_large_number(text: bytes) -> bool:
    shape = text.translate(_TO_SHAPE, b"+-")
    return _THREE_DIGIT_EXPONENT in shape or _MANY_DIGITS in shape


def _check_structure(body: bytes, *, may_be_deep: bool) -> None:
    outside = _outside_strings(body)
    if may_be_deep:
        _check_depth(outside)
    if _may_hold_a_large_number(outside) and (unfit := _unfit_number(outside)):
        field = field_with(body, lambda text: isinstance(text, Number) and _is_large(text))
        raise InvalidInput(unfit, field=field)


def _outside_strings(body: bytes) -> bytes:
    """What stands outside string literals; a quotation mark is left for each.

    Right for as far as the body is JSON, which is as far as a decoder gets.
    """
    unescaped = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    return b'"'.join(unescaped.split(b'"')[::2])


def _check_depth(outside: bytes) -> None:
    steps = memoryview(outside.translate(_TO_STEPS, _NOT_BRACKETS)).cast("b")
    if max(accumulate(steps), default=0) > MAX_DEPTH_LEVELS:
        raise InvalidInput(f"the body nests deeper than {MAX_DEPTH_LEVELS} levels")


def _unfit_number(text: bytes) -> str | None:
    """What is wrong with one of the numbers, if anything is."""
    if _TOO_MANY_DIGITS.search(text):
        return f"a number has more than {MAX_DIGITS_IN_A_ROW} digits in a row"
    if _LARGE_EXPONENT.search(text):
        return f"a number has an exponent beyond {MAX_EXPONENT}"
    if max(map(float, _NUMBER.findall(text)), default=0) == inf:
        return "a number is too large for a double"
    return None


def _is_large(number: str) -> bool:
    return _unfit_number(number.encode()) is not None
