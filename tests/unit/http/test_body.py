"""The check of a body agrees with a slow, plain reading of it, whatever the body."""

import json
import re
from math import isinf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.http.body import MAX_DEPTH_LEVELS, check_json_body, with_whole_pairs
from app.kernel.errors import InvalidInput


def is_fit(body: bytes) -> bool:
    try:
        check_json_body(body)
    except InvalidInput:
        return False
    return True


def is_fit_plainly(text: str) -> bool:
    """The same, for text that is JSON, read one character after the other."""
    depth, deepest, outside, strings = 0, 0, "", []
    characters = iter(text)
    for character in characters:
        if character == '"':
            string = ""
            while (character := next(characters)) != '"':
                string += character + (next(characters) if character == "\\" else "")
            strings.append(string)
            outside += " "
        else:
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(character, 0)
            deepest = max(deepest, depth)
            outside += character
    return (
        deepest <= MAX_DEPTH_LEVELS
        and all(map(_is_fit_string, strings))
        and all(map(_is_fit_number, re.findall(r"[0-9][0-9.eE+-]*", outside)))
    )


def _is_fit_string(string: str) -> bool:
    decoded: str = json.loads(f'"{string}"')
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in decoded)


def _is_fit_number(number: str) -> bool:
    mantissa, _, exponent = number.lower().partition("e")
    return (
        abs(int(exponent or 0)) <= 308
        and all(len(digits) <= 308 for digits in mantissa.split("."))
        and len(exponent.lstrip("+-")) <= 308
        and not isinf(float(number))
    )


fragments = st.sampled_from(
    [
        *("a", "u0000", "0e000", "1e999", "{", "[", "]", "é", "\U0001f600", "9" * 309),
        *(r"\\", r"\"", r"\n", r"\u0000", r"\u00e9", r"\ud7ff"),
        *(r"\ud83d\ude00", r"\ud83d", r"\uDE00"),
    ]
)
strings = st.lists(fragments, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
digits = st.one_of(
    st.integers(0, 10**6).map(str), st.integers(190, 312).map(lambda length: "7" * length)
)
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=320).map(".{}".format)),
    st.one_of(
        st.just(""),
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from("eE"),
            st.sampled_from(["", "+", "-"]),
            st.sampled_from(["", "0", "000"]),
            st.sampled_from(
                [0, 1, 22, 98, 99, 100, 300, 307, 308, 309, 310, 399, 400, 1000, 20000]
            ),
        ),
    ),
)
json_texts = st.recursive(
    st.one_of(strings, numbers, st.sampled_from(["null", "true", "[]", "{}"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(strings, inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)
levels = st.one_of(st.just(0), st.integers(58, 70))


@settings(max_examples=300)
@given(json_texts, levels, st.integers(0, 70))
@example('"\\\\u0000"', 0, 0)
@example('"\\\\\\u0000"', 0, 0)
@example("[]", 63, 0)
@example("[]", 64, 0)
def test_the_check_agrees_with_a_plain_reading(text: str, nesting: int, siblings: int) -> None:
    text = "[" * nesting + "[], " * siblings + text + "]" * nesting if nesting else text
    assert is_fit(text.encode()) == is_fit_plainly(text)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text('{}[]"\\u0deE+-.,: \0é\ud800').map(
            lambda text: text.encode("utf-8", "surrogatepass")
        ),
    )
)
def test_nothing_but_a_refusal_comes_of_bytes_that_are_no_json(body: bytes) -> None:
    is_fit(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "is not UTF-8"),
        (b'{"a": "\0"}', "byte 7 is NUL"),
        (rb'{"a": "\u0000"}', "NUL"),
        (rb'{"a": "\\\u0000"}', "NUL"),
        (rb'{"a": "\ud83d"}', "surrogate"),
        (rb'{"a": "\ude00\ud83d"}', "surrogate"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[1e309]", "exponent"),
        (b"[1E-20000]", "exponent"),
        (b"[1e+0000309]", "exponent"),
        (b"[9999e308]", "double"),
        (b"[" + b"9" * 250 + b"e99]", "double"),
        (b"[" + b"1" * 309 + b"]", "digits"),
        (b"[0." + b"1" * 309 + b"]", "digits"),
    ],
)
def test_an_unfit_body_is_refused_with_its_reason(body: bytes, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        check_json_body(body)


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": "\\u0000"}',
        rb'{"a": "\\\\u0000"}',
        rb'{"a": "\ud83d\ude00\u00e9\ud7ff\ue000"}',
        '{"a": "é 😀"}'.encode(),
        b"[" * 64 + b"]" * 64,
        b"[" + b"[]," * 500 + b"[]]",
        b'["' + b"[{" * 500 + b'"]',
        rb'["\"' + b"[{" * 500 + b'"]',
        b"[1e308, 1E-308, 1.7976931348623157e308, -1e0308]",
        b"[" + b"9" * 308 + b"]",
        b'["1e999", "6ba7b810-9dad-11d1-80b4-00c04fd430e8", "6e000"]',
        b'["' + b"1" * 1000 + b'"]',
    ],
    ids=lambda body: body[:24],
)
def test_a_fit_body_passes(body: bytes) -> None:
    check_json_body(body)


MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("prefix", "repeated"),
    [
        (b"", b"["),
        (b"", b"[]"),
        (b"", b'"'),
        (b"[" * 65, rb"\""),
        (b"[" * 65 + b'"', b"\\"),
        (b'"', rb"\\u0000"),
        (b'"', rb"\ud83d\ude00"),
        (b"[", b"1e300,"),
        (b"[1e300,", b"1."),
        (b"[1e300,", b"e"),
        (b"1e", b"0"),
        (b"", b"1"),
    ],
)
def test_a_hostile_body_of_a_mebibyte_takes_no_time_to_judge(
    prefix: bytes, repeated: bytes
) -> None:
    is_fit(prefix + repeated * (MEBIBYTE // len(repeated)))


@given(st.binary(max_size=60), st.lists(fragments, max_size=20).map("".join))
@example(b"", r"\\ud800 \ud800\udc00 \\\ud83d\uD")
def test_halves_of_pairs_are_replaced_in_place(raw: bytes, text: str) -> None:
    for body in (raw, text.encode("utf-8", "surrogatepass")):
        whole = with_whole_pairs(body)
        assert len(whole) == len(body)
        if is_fit(body):
            assert whole == body
