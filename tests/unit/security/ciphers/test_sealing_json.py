"""Sealing and opening JSON: an identity for who has the key, and nothing to anybody else."""

import base64
import json
import os
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from app.kernel.cipher import CannotOpen, Sealed, SealedValue, digest_of
from app.kernel.sensitive import DEFAULT_SENSITIVE_FIELDS, Names
from app.security.ciphers.data_key import DataKey
from app.security.ciphers.sealing import sealer
from app.security.ciphers.walking import sealed_value, with_opened, with_sealed

SECRET = bytes(range(32))
KEY = DataKey(SECRET, "tidings", "ann")
NAMES = Names(DEFAULT_SENSITIVE_FIELDS)

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
field_names = st.sampled_from(["email", "First Name", "items", "x", "IP", "größe", 'a"b', "\\"])
documents = st.dictionaries(
    field_names,
    st.recursive(
        plain | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=5,
)


def sealed(value: Any, key: DataKey = KEY) -> bytes:
    text = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return bytes(with_sealed(Raw(text), NAMES, sealer(key)))


def opened(text: bytes, key: DataKey = KEY) -> bytes:
    return bytes(with_opened(Raw(text), lambda field, value: key.open(field, value.tidings)))


@given(documents)
def test_what_is_sealed_opens_as_the_same_json(document: Any) -> None:
    assert json.loads(opened(sealed(document))) == document


@given(documents)
def test_sealing_again_changes_nothing(document: Any) -> None:
    once = sealed(document)
    assert json.loads(sealed(once)) == json.loads(once)


@given(st.text(max_size=30).map("canary {}".format))
def test_nothing_of_a_sensitive_value_is_in_what_is_sealed(value: str) -> None:
    text = sealed({"a": [{"e-mail": value, "email": [value], "Last_Name": {"x": value}}]})
    assert json.loads(text)["a"][0]["e-mail"].keys() == {"$tidings"}
    assert msgspec.json.encode(value)[1:-1] not in text


@pytest.mark.parametrize(
    "text",
    [
        rb'{"em\u0061il": "secret-1"}',
        rb'{"EMAIL" : "secret-1"}',
        rb'{"email":"x","email":"secret-1"}',
    ],
)
def test_no_way_of_writing_a_name_gets_around_it(text: bytes) -> None:
    assert b"secret-1" not in sealed(text)


def test_no_white_space_gets_around_it() -> None:
    document = {"a": [{"b": {"email": "secret-1", "x": [[{"phone": "secret-2"}]]}}]}
    assert b"secret" not in sealed(json.dumps(document, indent="\t \r").encode())


def test_what_is_not_sensitive_stays_byte_for_byte() -> None:
    text = b'{"price":1.10,"emails":2,"big":123456789012345678901234567890,"email":null}'
    assert sealed(text) == text


def test_numbers_beside_a_sealed_value_keep_their_digits() -> None:
    text = sealed(b'{"price":1.10,"email":"a@b.c","big":123456789012345678901234567890}')
    assert b"1.10" in text
    assert b"123456789012345678901234567890" in text


@pytest.mark.parametrize(
    "other",
    [
        DataKey(SECRET, "tidings", "boris"),
        DataKey(SECRET, "other_store", "ann"),
        DataKey(os.urandom(32), "tidings", "ann"),
    ],
)
def test_another_customer_store_or_key_cannot_open(other: DataKey) -> None:
    with pytest.raises(CannotOpen):
        other.open("email", KEY.seal("email", b'"a@b.c"'))


def test_another_field_cannot_open() -> None:
    with pytest.raises(CannotOpen):
        KEY.open("phone", KEY.seal("email", b'"a@b.c"'))


@pytest.mark.parametrize("place", range(12 + len(b'"a@b.c"') + 16))
def test_a_value_that_was_altered_anywhere_cannot_be_opened(place: int) -> None:
    altered = bytearray(base64.b64decode(KEY.seal("email", b'"a@b.c"').sealed))
    altered[place] ^= 1
    with pytest.raises(CannotOpen):
        KEY.open("email", Sealed(base64.b64encode(altered).decode(), ""))


@pytest.mark.parametrize("text", ["", "AAAA", "=", "é"])
def test_what_was_never_sealed_cannot_be_opened(text: str) -> None:
    with pytest.raises(CannotOpen):
        KEY.open("email", Sealed(text, ""))


def test_equal_values_have_one_digest_and_never_one_ciphertext() -> None:
    one, other = KEY.seal("email", b'{"a":1,"b":[2.0]}'), KEY.seal("email", b'{"b":[2],"a":1.0}')
    assert one == other
    assert one.sealed != other.sealed


@pytest.mark.parametrize(
    ("one", "other"), [(b"1", b"true"), (b'"1"', b"1"), (b"[1,2]", b"[2,1]"), (b"null", b'""')]
)
def test_different_values_have_different_digests(one: bytes, other: bytes) -> None:
    assert KEY.seal("card", one) != KEY.seal("card", other)


def test_a_digest_says_nothing_across_customers_and_fields() -> None:
    digest = KEY.seal("email", b'"a@b.c"').digest
    assert KEY.seal("phone", b'"a@b.c"').digest != digest
    assert DataKey(os.urandom(32), "tidings", "ann").seal("email", b'"a@b.c"').digest != digest


def test_only_what_is_sealed_counts_as_sealed() -> None:
    value = msgspec.json.encode(SealedValue(KEY.seal("email", b"1")))
    assert sealed_value(Raw(value)) is not None
    assert digest_of(msgspec.json.decode(value))
    for other in (
        b'{"$tidings":1}',
        b'{"$tidings":{"sealed":"x"}}',
        b'{"a":{"$tidings":{}}}',
        b'"$tidings"',
    ):
        assert sealed_value(Raw(other)) is None
        assert digest_of(msgspec.json.decode(other)) is None
