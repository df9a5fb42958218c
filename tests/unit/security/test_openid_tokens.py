"""Which tokens of an OpenID provider are believed; the provider really serves its keys."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from structlog.testing import capture_logs

from app.http.access import Unauthenticated
from app.kernel.clock import system_clock
from app.kernel.errors import ProviderUnavailable
from app.kernel.principal import Principal
from app.security import openid, provider_keys
from app.security.openid import OpenIdTokens, Trust, scopes_in
from app.security.provider_keys import opened_provider_keys, usable_keys
from app.security.signed_token import MAX_TOKEN_CHARACTERS, parse_token
from tests.fixtures.openid_provider import AUDIENCE, OpenIdProvider, openid_provider

pytestmark = pytest.mark.anyio

LEEWAY_S = int(openid.LEEWAY.total_seconds())


@dataclass
class Stage:
    provider: OpenIdProvider
    tokens: OpenIdTokens

    async def admit(self, text: str) -> Principal:
        token = parse_token(text)
        if token is None:
            raise Unauthenticated
        principal, _ = await self.tokens.owner_of(token)
        return principal

    async def refuses(self, text: str) -> None:
        with pytest.raises(Unauthenticated) as refused:
            await self.admit(text)
        assert text not in str(refused.value)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with (
        openid_provider() as provider,
        opened_provider_keys(provider.url, "RS256") as keys,
    ):
        trust = Trust(provider.url, AUDIENCE, "RS256", "scope")
        yield Stage(provider, OpenIdTokens(trust, keys, system_clock))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider may be asked at any time."""
    monkeypatch.setattr(provider_keys, "ASKED_AT_MOST_EVERY", timedelta(0))


def part(said: object) -> str:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_pem(provider: OpenIdProvider) -> bytes:
    key = provider.keys[provider.signs_with].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(provider: OpenIdProvider, header: object, claims: object) -> str:
    """Anything at all, under a signature that is right."""
    text = f"{part(header)}.{part(claims)}"
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    signature = algorithm.sign(text.encode(), provider.keys[provider.signs_with])
    return f"{text}.{part(signature)}"


async def test_a_token_says_whose_it_is_and_what_it_may_do(stage: Stage) -> None:
    principal = await stage.admit(stage.provider.token())
    assert principal.owner == "oidc:worker-7"
    assert principal.actor == "jwt:worker-7"
    assert principal.scopes == {"events:write", "timeline:read"}
    assert principal.customer_id is None


@pytest.mark.parametrize("headers", [{"typ": "at+jwt"}, {"typ": None}, {"x5t": "c29tZQ"}])
async def test_headers_that_providers_send_are_allowed(
    stage: Stage, headers: dict[str, Any]
) -> None:
    await stage.admit(stage.provider.token(headers))


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("events:write  events:read", {"events:write", "events:read"}),
        (["events:write", "fly", 7, None], {"events:write"}),
        ("fly openid", set()),
        ("* keys:admin", {"keys:admin"}),
        (["*"], set()),
        (None, set()),
        ({"events:write": True}, set()),
        (7, set()),
    ],
)
def test_only_scopes_of_ours_that_are_named_are_given(claim: object, scopes: set[str]) -> None:
    assert scopes_in(claim) == scopes


async def test_a_token_may_be_for_several_audiences(stage: Stage) -> None:
    await stage.admit(stage.provider.token(aud=["other", AUDIENCE]))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "other"},
        {"aud": ["other", f"{AUDIENCE}2"]},
        {"aud": []},
        {"aud": {AUDIENCE: 1}},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "4000000000"},
        {"exp": 1e300},
        {"exp": -1},
        {"exp": True},
        {"iat": None},
        {"iat": "now"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
        {"nbf": "later"},
    ],
    ids=str,
)
async def test_a_claim_that_does_not_fit_is_refused_before_keys_are_asked_for(
    stage: Stage, changes: dict[str, Any]
) -> None:
    await stage.refuses(stage.provider.token(**changes))
    assert stage.provider.asked == 0


async def test_a_token_is_believed_for_its_time_and_a_little_for_clocks_that_differ(
    stage: Stage,
) -> None:
    now = int(time.time())
    for changes in (
        {"exp": now - LEEWAY_S - 1},
        {"iat": now + LEEWAY_S + 60},
        {"nbf": now + LEEWAY_S + 60},
    ):
        await stage.refuses(stage.provider.token(**changes))
    for changes in ({"exp": now - LEEWAY_S // 2}, {"iat": now + LEEWAY_S // 2}):
        await stage.admit(stage.provider.token(**changes))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": "EdDSA"},
        {"alg": ""},
        {"alg": None},
        {"alg": ["RS256"]},
        {"kid": None},
        {"kid": 7},
        {"kid": ["first"]},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": {"a": 1}},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
    ],
    ids=str,
)
async def test_a_header_that_chooses_how_it_is_verified_is_refused(
    stage: Stage, header: dict[str, Any]
) -> None:
    """Although the signature is right."""
    said = {"alg": "RS256", "kid": "first", "typ": "JWT"} | header
    await stage.refuses(signed(stage.provider, said, stage.provider.claims()))
    assert stage.provider.asked == 0


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "../../../../etc/passwd",
        "/dev/null",
        "first' OR '1'='1",
        "'; DROP TABLE events; --",
        "first\0",
        "\ud800",
        "http://evil.example/key",
        "x" * 4000,
    ],
    ids=lambda key_id: ascii(key_id)[:20],
)
async def test_a_key_id_is_a_name_and_nothing_else(stage: Stage, key_id: str) -> None:
    header = {"alg": "RS256", "kid": key_id}
    with capture_logs() as logs:
        await stage.refuses(signed(stage.provider, header, stage.provider.claims()))
    assert logs == []


async def test_the_public_key_is_no_secret_to_sign_with(stage: Stage) -> None:
    for secret in (public_pem(stage.provider), json.dumps(stage.provider.published("first"))):
        raw = secret if isinstance(secret, bytes) else secret.encode()
        text = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(stage.provider.claims())}"
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        await stage.refuses(f"{text}.{part(algorithm.sign(text.encode(), raw))}")


async def test_no_other_key_will_do(stage: Stage) -> None:
    await stage.admit(stage.provider.token())
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = stage.provider.claims()
    await stage.refuses(jwt.encode(claims, theirs, "RS256", headers={"kid": "first"}))
    unsigned = f"{part({'alg': 'RS256', 'kid': 'first'})}.{part(claims)}"
    await stage.refuses(f"{unsigned}.AA")


async def test_what_was_tampered_with_is_refused(stage: Stage) -> None:
    token = stage.provider.token()
    header, _, signature = token.split(".")
    await stage.admit(token)
    for forged in (
        f"{header}.{part(stage.provider.claims(sub='root'))}.{signature}",
        token[:-1] + ("A" if token[-1] != "A" else "Q"),
        token + "A",
        token + "=",
        f"{header}=.{'.'.join(token.split('.')[1:])}",
        token.replace(".", "..", 1),
        token + ".x",
        f"{token.rsplit('.', 1)[0]}.",
        f".{token}",
        token + "\n",
        token.replace("-", "+").replace("_", "/") + "+",
    ):
        await stage.refuses(forged)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (b'{"alg":"RS256","kid":"first","kid":"first"}', None),
        (b'{"alg":"HS256","alg":"RS256","kid":"first"}', None),
        (None, lambda said: b'{"sub":"root",' + said[1:]),
        (None, lambda said: said[:-1] + b',"exp":4000000000}'),
        (None, lambda said: said[:-1] + b',"a":{"b":1,"b":2}}'),
        (None, lambda said: said[:-1] + b',"a":NaN}'),
        (None, lambda said: said.replace(b'"exp": ', b'"exp": 9e999, "x": ')),
        (None, lambda said: said[:-1]),
        (None, lambda said: said + b"{}"),
        (None, lambda said: b"[" + said + b"]"),
        (None, lambda said: b"\xef\xbb\xbf" + said),
        (None, lambda said: said.decode().encode("utf-16")),
        (None, lambda said: said[:-1] + b',"a":"\xff"}'),
        (None, lambda said: said[:-1] + b',"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        (None, lambda said: said[:-1] + b',"a":' + b"9" * 5000 + b"}"),
        (b"null", None),
        (b'"RS256"', None),
        (b"[" * 3000, None),
    ],
)
async def test_what_readers_could_take_for_two_things_is_refused(
    stage: Stage, header: bytes | None, claims: Callable[[bytes], bytes] | None
) -> None:
    said = json.dumps(stage.provider.claims()).encode()
    header = header or b'{"alg":"RS256","kid":"first"}'
    await stage.refuses(signed(stage.provider, header, claims(said) if claims else said))


async def test_a_token_that_is_too_large_is_not_looked_at(stage: Stage) -> None:
    token = stage.provider.token(padding="x" * MAX_TOKEN_CHARACTERS)
    assert parse_token(token) is None
    await stage.refuses(token)


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
    stage.provider.answers_with = web.Response(status=500)
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
    stage.provider.answers_with = answer(stage.provider.url)
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
