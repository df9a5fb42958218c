"""Which tokens of an OpenID provider are believed; the provider really serves its keys."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from app.security import openid
from app.security.openid import scopes_in
from app.security.signed_token import MAX_TOKEN_CHARACTERS, parse_token
from tests.fixtures.openid_provider import AUDIENCE, OpenIdProvider
from tests.unit.security.openid_stage import Stage, opened_stage, part, signed

pytestmark = pytest.mark.anyio

LEEWAY_S = int(openid.LEEWAY.total_seconds())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened_stage() as running:
        yield running


def public_pem(provider: OpenIdProvider) -> bytes:
    key = provider.keys[provider.signs_with].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


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
