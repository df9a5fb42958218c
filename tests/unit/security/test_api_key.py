"""What an API key looks like, and what cannot be one."""

import re

import pytest

from app.security.api_key import new_api_key, parse_api_key
from tests.fixtures.access import KEY


def test_a_new_key_is_understood() -> None:
    key = new_api_key("staging")
    assert re.fullmatch(r"tdg_staging_\w{12}_\w{38}", key.text)
    assert parse_api_key(key.text) == key


def test_no_two_keys_are_alike() -> None:
    made = [new_api_key("live") for _ in range(100)]
    assert len({key.text for key in made}) == len({key.key_id for key in made}) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tdg_live",
        KEY[:-1],
        KEY + "0",
        KEY.upper(),
        KEY.replace("live", "test"),
        KEY[:-10] + ("0" if KEY[-10] != "0" else "1") + KEY[-9:],
        KEY + "\n",
        f" {KEY}",
        "tdg_live_" + "٣" * 12 + KEY[21:],
    ],
)
def test_what_is_mistyped_is_no_key(text: str) -> None:
    assert parse_api_key(text) is None


def test_only_the_same_secret_gives_the_same_digest() -> None:
    key = new_api_key("live")
    assert key.digest(b"one") == key.digest(b"one") != key.digest(b"other")
    assert key.text[-20:] not in key.digest(b"one")
