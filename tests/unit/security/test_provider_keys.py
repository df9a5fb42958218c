"""The keys of an OpenID provider: how often it is asked for them, and which will do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from structlog.testing import capture_logs

from app.kernel.clock import system_clock
from app.kernel.errors import ProviderUnavailable
from app.security import provider_keys
from app.security.openid import OpenIdTokens, Trust
from app.security.provider_keys import opened_provider_keys, usable_keys
from tests.fixtures.openid_provider import AUDIENCE, openid_provider
from tests.unit.security.openid_stage import Stage, opened_stage, signed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened_stage() as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider may be asked at any time."""
    monkeypatch.setattr(provider_keys, "ASKED_AT_MOST_EVERY", timedelta(0))


async def test_keys_are_asked_for_once(stage: Stage) -> None:
    tokens = [stage.provider.token(sub=f"worker-{number}") for number in range(20)]
    await asyncio.gather(*map(stage.admit, tokens))
    assert stage.provider.asked == 2, "discovery, and the keys"


@pytest.mark.usefixtures("impatient")
async def test_a_key_that_came_later_is_found(stage: Stage) -> None:
    before = stage.provider.token()
    await stage.admit(before)
    stage.provider.rotate("second")
    await stage.admit(stage.provider.token())
    await stage.refuses(before)


async def test_unknown_keys_do_not_make_us_ask_for_ever(stage: Stage) -> None:
    await stage.admit(stage.provider.token())
    stage.provider.rotate("second")
    for number in range(20):
        header = {"alg": "RS256", "kid": f"made-up-{number}"}
        await stage.refuses(signed(stage.provider, header, stage.provider.claims()))
    assert stage.provider.asked == 2


async def test_keys_that_are_not_fresh_any_more_are_asked_for_while_tokens_are_let_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stage.provider.token()
    await stage.admit(before)
    stage.provider.rotate("second")
    monkeypatch.setattr(provider_keys, "ASKED_AT_MOST_EVERY", timedelta(0))
    monkeypatch.setattr(provider_keys, "FRESH_FOR", timedelta(0))
    await stage.admit(before)
    async with asyncio.timeout(10):
        while stage.provider.asked < 4:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(provider_keys, "FRESH_FOR", timedelta(hours=1))
    await stage.admit(stage.provider.token())
    await stage.refuses(before)


@pytest.mark.usefixtures("impatient")
async def test_keys_are_kept_for_a_while_when_the_provider_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stage.provider.token()
    await stage.admit(token)
    stage.provider.answers_with = lambda: web.Response(status=500)
    await stage.admit(token)
    stage.provider.rotate("second")
    with pytest.raises(ProviderUnavailable):
        await stage.admit(stage.provider.token())
    monkeypatch.setattr(provider_keys, "USABLE_FOR", timedelta(0))
    with pytest.raises(ProviderUnavailable):
        await stage.admit(token)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(status=404),
        lambda url: web.Response(status=302, headers={"Location": f"{url}/elsewhere"}),
        lambda _: web.Response(text="no JSON"),
        lambda _: web.Response(body=b"[" * 100_000),
        lambda _: web.Response(body=b'{"keys":[' + b" " * provider_keys.MAX_DOCUMENT_BYTES),
        lambda _: web.json_response({"issuer": "https://evil.example", "jwks_uri": "https://x"}),
        lambda url: web.json_response({"issuer": url, "jwks_uri": "file:///etc/passwd"}),
        lambda url: web.json_response({"issuer": url, "jwks_uri": "no url"}),
        lambda url: web.json_response({"issuer": url, "jwks_uri": 7}),
        lambda url: web.json_response({"issuer": url, "jwks_uri": "http://127.0.0.1:1/keys"}),
    ],
)
async def test_a_provider_that_answers_something_else_is_unavailable(
    stage: Stage, answer: Callable[[str], web.Response]
) -> None:
    stage.provider.answers_with = lambda: answer(stage.provider.url)
    token = stage.provider.token()
    with capture_logs() as logs, pytest.raises(ProviderUnavailable):
        await stage.admit(token)
    assert logs[0]["event"] == "openid_keys_unavailable"
    assert token not in str(logs)


@pytest.mark.usefixtures("impatient")
async def test_a_provider_that_does_not_answer_in_time_is_unavailable(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_keys, "MAX_ASKING", timedelta(milliseconds=50))

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(10)
        raise AssertionError

    monkeypatch.setattr(stage.provider, "answer", never)
    with pytest.raises(ProviderUnavailable):
        await stage.admit(stage.provider.token())


async def test_keys_that_are_not_for_this_are_left_out(stage: Stage) -> None:
    good = stage.provider.published("first")
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    stage.provider.keys["small"] = small
    private = RSAAlgorithm.to_jwk(small, as_dict=True)
    published: list[Any] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        {**good, "kid": "for-encryption", "use": "enc"},
        {**good, "kid": "for-another", "alg": "PS256"},
        {**private, "kid": "private"},
        {**good, "kid": None},
        {**good, "kid": ["list"]},
        {**good, "kid": "broken", "n": "!"},
        {**good, "kid": "number", "n": 7},
        {**good, "kid": "empty", "n": ""},
        {**good, "kid": "null", "e": None},
        {**good, "kid": "even", "e": "Ag"},
        {name: value for name, value in good.items() if name != "e"} | {"kid": "half"},
        {},
        good,
        {**good, "n": "AQAB"},
    ]
    assert list(usable_keys(published, "RS256")) == ["first"]
    stage.provider.further_keys = published[:-2]
    await stage.admit(stage.provider.token())
    claims = stage.provider.claims()
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        weak = jwt.encode(claims, small, "RS256", headers={"kid": "small"})
    await stage.refuses(weak)


@pytest.mark.parametrize(
    ("algorithm", "key", "jwk"),
    [
        ("ES256", ec.generate_private_key(ec.SECP256R1()), ECAlgorithm.to_jwk),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm.to_jwk),
    ],
)
async def test_another_algorithm_may_be_the_one(algorithm: str, key: Any, jwk: Any) -> None:
    async with openid_provider() as provider, opened_provider_keys(provider.url, algorithm) as keys:
        provider.further_keys = [{**jwk(key.public_key(), as_dict=True), "kid": "one"}]
        trust = Trust(provider.url, AUDIENCE, algorithm, "scope")
        stage = Stage(provider, OpenIdTokens(trust, keys, system_clock))
        token = jwt.encode(provider.claims(), key, algorithm, headers={"kid": "one"})
        assert (await stage.admit(token)).owner == "oidc:worker-7"
        await stage.refuses(provider.token())


def test_a_curve_is_no_other_curve() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    assert usable_keys([{**ECAlgorithm.to_jwk(other, as_dict=True), "kid": "one"}], "ES256") == {}
