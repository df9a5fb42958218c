"""No log holds a credential or what was sent, whether a request succeeds, fails or is refused."""

import asyncio
import base64
from functools import partial
from uuid import uuid4

import pytest

from app.security.api_key import new_api_key
from tests.fixtures.access import AUTHORIZATION, KEY
from tests.fixtures.api import Api, raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp, until

pytestmark = pytest.mark.anyio

WRITTEN_WITHIN_S = 20


async def lines_of(tidings_up: TidingsUp, api: Api) -> str:
    """All that the processes and PostgreSQL have said up to now."""
    mark = uuid4().hex
    await api.get("/v1/nothing", X_Request_Id=mark)
    written = partial(
        until, lambda: mark in tidings_up.output(), "the last line", seconds=WRITTEN_WITHIN_S
    )
    await asyncio.to_thread(written)
    return tidings_up.output() + (tidings_up.data_dir / "postgres.log").read_text()


async def test_no_credential_is_logged_good_or_bad(api: Api, tidings_up: TidingsUp) -> None:
    refused = [new_api_key("live").text, new_api_key("other").text, KEY[:-1] + "x", uuid4().hex]
    for credential in (KEY, *refused):
        basic = base64.b64encode(f"{credential}:".encode()).decode()
        for header in (f"Bearer {credential}", f"Basic {basic}", f"Digest {credential}"):
            for path in ("/v1/events?limit=1", "/v1/nothing", "/v1/customers/%00"):
                await api.get(path, Authorization=header)
            await api.post("/v1/events", {"type": 1}, Authorization=header)
    made = (await api.post("/v1/keys", {"name": uuid4().hex, "scopes": ["*"]})).json()
    await api.post(f"/v1/keys/{made['key_id']}/revoke", {})
    await api.get("/v1/events?limit=1", Authorization=f"Bearer {made['key']}")
    for broken in (
        b"GET / HTTP/1.1\r\nAuthorization: %b",
        b"GET / HTTP/9\r\nAuthorization: %b\r\n\r\n",
    ):
        send_bytes(tidings_up.url, broken % AUTHORIZATION.encode(), ends=True)

    said = await lines_of(tidings_up, api)
    for credential in (*refused, KEY, made["key"]):
        assert credential not in said
        assert credential.split("_")[-1] not in said
        assert base64.b64encode(f"{credential}:".encode()).decode() not in said


async def test_no_body_or_query_is_logged_however_it_fails(api: Api, tidings_up: TidingsUp) -> None:
    canary = uuid4().hex
    ann = f"customer-of-{uuid4()}"
    good = {"type": canary, "customer_id": ann, "data": {"card": canary}, "id": canary}
    await api.record(good, {**good, "data": {}}, {**good, "customer_id": None})  # repeated; refused
    await api.post("/v1/events", {**good, "data": {"x": canary}})  # a key with something else
    await api.post("/v1/events", {**good, "id": f"{canary}\n", "occurred_at": canary})
    await api.post("/v1/events", f'{{"type": "{canary}", '.encode())
    await api.post(
        "/v1/events", f'{{"type":"a","customer_id":"b","data":{{"{canary}":1e999}}}}'.encode()
    )
    traits = {"name": canary, "note": "\ud800", "deep": [[[[canary]]]]}
    await api.post(f"/v1/customers/{ann}/register", {"traits": {"name": canary}}, If_Match='"7"')
    await api.post(f"/v1/customers/{ann}/register", {"traits": traits}, Idempotency_Key=canary)
    await api.post(f"/v1/customers/{ann}/link-identity", {"kind": "email", "value": canary})
    await api.post(f"/v1/customers/{ann}/link-identity", {"kind": canary, "value": canary})
    await api.post("/v1/keys", {"name": canary, "scopes": [canary]})
    for query in (f"identity=email:{canary}", f"trait={canary}", f"{canary}=1", f"cursor={canary}"):
        await api.get(f"/v1/customers?{query}")
    await api.get("/v1/events?limit=1", X_Correlation_Id=canary, Cookie=canary, Referer=canary)
    send_bytes(
        tidings_up.url,
        raw_request("POST", "/v1/events", canary.encode(), Content_Length="999"),
        ends=True,
    )  # gone before the body is complete

    assert canary not in await lines_of(tidings_up, api)
