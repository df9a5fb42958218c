"""Tokens over HTTP: a customer's own way in, and the tokens of an OpenID provider."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.acceptance.test_keys import bearer, made
from tests.fixtures.api import Api, api_of, raw_request, send_bytes
from tests.fixtures.openid_provider import AUDIENCE, OpenIdProvider, openid_provider
from tests.fixtures.tidings_up import TidingsUp

pytestmark = pytest.mark.anyio

ANN = "token-ann"
OWN = {
    ("get", "/v1/customers/{customer_id}"),
    ("get", "/v1/customers/{customer_id}/inbox"),
    ("get", "/v1/customers/{customer_id}/inbox/live"),
    ("get", "/v1/customers/{customer_id}/timeline"),
    ("get", "/v1/customers/{customer_id}/timeline/live"),
    ("post", "/v1/customers/{customer_id}/inbox/{message_id}/read"),
    ("post", "/v1/customers/{customer_id}/preferences"),
    ("post", "/v1/customers/{customer_id}/transactions/{transaction_id}/confirm"),
    ("post", "/v1/customers/{customer_id}/transactions/{transaction_id}/deny"),
}
NEWS = {"consents": [{"channel": "email", "topic": "news", "given": True}]}


async def token_of(api: Api, customer_id: str = ANN, **request: object) -> str:
    answer = await api.post(f"/v1/customers/{customer_id}/tokens", request)
    assert answer.status == 201, answer
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["customer_id"] == customer_id
    return str(answer.json()["token"])


async def operations(api: Api) -> list[tuple[str, str]]:
    """Method and path of everything that takes a credential."""
    paths: dict[str, dict[str, Any]] = (await api.read("/openapi.json"))["paths"]
    return [
        (method, path)
        for path, item in paths.items()
        for method, operation in item.items()
        if "security" in operation
    ]


async def test_a_customer_reads_the_own_profile_and_timeline_and_changes_preferences(
    api: Api,
) -> None:
    registered = await api.post(f"/v1/customers/{ANN}/register", {"traits": {"plan": "pro"}})
    token = bearer(await token_of(api))

    changed = await api.post(f"/v1/customers/{ANN}/preferences", NEWS, **token)
    assert changed.status == 200
    assert changed.json()["version"] == registered.json()["version"] + 1
    at = f"?min_position={changed.json()['position']}"
    profile = await api.get(f"/v1/customers/{ANN}{at}", **token)
    assert profile.json()["traits"] == {"plan": "pro"}
    timeline = await api.get(f"/v1/customers/{ANN}/timeline{at}", **token)
    newest = timeline.json()["items"][0]
    assert newest["type"] == "customer.consent_recorded"
    assert newest["metadata"]["actor"] == newest["metadata"]["source"] == f"customer:{ANN}"
    live = f"{api.url}/v1/customers/{ANN}/timeline/live"
    async with api.session.get(live, headers={**token, "Last-Event-ID": "0"}) as response:
        assert response.status == 200
        assert await response.content.readline() == b"retry: 1000\n"


async def test_a_customers_token_is_for_nothing_else(api: Api) -> None:
    token = bearer(await token_of(api))
    asked = [operation for operation in await operations(api) if operation not in OWN]
    assert len(asked) > len(OWN)
    for method, path in asked:
        target = re.sub(r"{\w+}", "x", path.replace("{customer_id}", ANN))
        body: object = {} if method in {"post", "put", "patch"} else None
        answer = await api.send(method.upper(), target, body, **token)
        assert (answer.status, answer.code) == (403, "forbidden"), (method, path)


async def test_a_customers_token_is_for_no_other_customer(api: Api) -> None:
    token = bearer(await token_of(api))
    for method, path in sorted(OWN):
        for other in ("token-boris", f"{ANN}2", ANN.upper(), f"~{ANN}"):
            target = path.replace("{customer_id}", other).replace("{message_id}", "x")
            body = NEWS if method == "post" else None
            answer = await api.send(method.upper(), target, body, **token)
            assert (answer.status, answer.code) == (403, "forbidden"), (method, target)


async def test_a_customers_token_may_not_be_asked_for_without_leave_or_sense(
    api: Api, tidings_up: TidingsUp
) -> None:
    path = f"/v1/customers/{ANN}/tokens"
    for unfit in ({"expires_in_s": 901}, {"expires_in_s": 0}, {"expires_in_s": 1.5}, {"scope": ""}):
        answer = await api.post(path, unfit)
        assert (answer.status, answer.code) == (400, "invalid-input"), unfit
    assert (await api.post("/v1/customers/~visitor/tokens", {})).status == 400
    assert (await api.send("POST", path)).status == 201, "the body may be left out"
    reader = made(tidings_up, "token-reader", "--scope", "customers:read")
    assert (await api.post(path, {}, **bearer(reader))).status == 403


async def test_a_token_of_a_customer_whose_id_is_odd_is_as_good(api: Api) -> None:
    for customer_id, path in (("Zoë & Co", "Zo%C3%AB%20%26%20Co"), ("a.b@c", "a.b@c")):
        answer = await api.post(f"/v1/customers/{path}/tokens", {})
        token = bearer(answer.json()["token"])
        assert answer.json()["customer_id"] == customer_id
        assert (await api.get(f"/v1/customers/{path}/timeline", **token)).status == 200
        assert (await api.post(f"/v1/customers/{path}/preferences", NEWS, **token)).status == 200


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with openid_provider() as running:
        yield running


@pytest.fixture
async def trusting(provider: OpenIdProvider, tmp_path: Path) -> AsyncIterator[TidingsUp]:
    """A Tidings that trusts the provider."""
    up = TidingsUp(tmp_path, oidc_issuer=provider.url, oidc_audience=AUDIENCE, log_level="debug")
    try:
        yield up.start()
        assert up.stop() == 0, up.tail()
    finally:
        up.close()


async def test_a_hostile_token_is_answered_with_401_and_nothing_else(
    provider: OpenIdProvider, trusting: TidingsUp
) -> None:
    header, claims, signature = provider.token().split(".")
    none = jwt.encode(provider.claims(), "", "none", headers={"kid": "first"})
    secret = provider.published("first")["n"]
    hostile = [
        none,
        f"{none}AA",
        jwt.encode(provider.claims(), secret, "HS256", headers={"kid": "first"}),
        *(
            provider.token({name: value})
            for name, value in {
                "kid": "../../etc/passwd",
                "jku": "https://evil.example/keys",
                "x5u": "https://evil.example/cert",
                "jwk": {"kty": "oct", "k": "AA"},
                "crit": ["exp"],
                "typ": "tidings-customer+jwt",
            }.items()
        ),
        provider.token(padding="x" * 30_000),
        provider.token(aud="other"),
        provider.token(iss="https://evil.example"),
        provider.token(exp=1),
        provider.token(nbf=4_000_000_000),
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{claims}.{header}.{signature}",
        f"..{signature}",
        "..",
        "eyJ.eyJ.eyJ",
        "\xff.\xfe.\xfd",
        "a.b.c.d.e",
    ]
    for number, token in enumerate(hostile):
        request = raw_request("GET", "/v1/events", Authorization=f"Bearer {token}")
        answer = await asyncio.to_thread(send_bytes, trusting.url, request)
        assert answer is not None
        assert (answer.status, answer.code) == (401, "unauthenticated"), (number, answer)
        assert len(token) < 20 or token.encode("latin-1") not in answer.body


async def test_a_providers_token_does_what_its_scopes_say_and_stands_nowhere(
    provider: OpenIdProvider, trusting: TidingsUp
) -> None:
    token = provider.token()
    event = {"type": "Seen", "customer_id": "ann", "data": {}}
    async with api_of(trusting.url) as api:
        recorded = await api.post("/v1/events", event, **bearer(token))
        assert recorded.status == 201, recorded
        assert (await api.get("/v1/events", **bearer(token))).status == 403
        forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
        refused = await api.get("/v1/events", **bearer(forged))
        assert (refused.status, refused.code) == (401, "unauthenticated")
        provider.rotate("second")
        unknown = await api.post("/v1/events", event, **bearer(provider.token()))
        assert unknown.status == 401, "asked for a moment ago"
        log = await api.log()
    metadata = log[-1]["metadata"]
    assert (metadata["source"], metadata["actor"]) == ("oidc:worker-7", "jwt:worker-7")
    for part in token.split("."):
        assert part not in trusting.output()
        assert part not in str(log)
