"""What is done over HTTP is in the audit; and what stays visible for ever is told."""

from functools import partial
from uuid import uuid4

import pytest

from tests.fixtures.api import Api, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = pytest.mark.anyio

SECONDS = 20


async def test_what_is_done_over_http_is_in_the_audit_with_its_request(api: Api) -> None:
    request, name = uuid4().hex, uuid4().hex
    admin = {"name": name, "scopes": ["keys:admin", "projections:admin", "audit:read"]}
    made = (await api.post("/v1/keys", admin, X_Request_Id=request)).json()
    theirs = {"Authorization": f"Bearer {made['key']}"}
    asked = await api.post("/v1/projections/visits/rebuild", {}, X_Request_Id=request, **theirs)
    assert asked.status == 202
    revoke = f"/v1/keys/{made['key_id']}/revoke"
    [head] = [each["position"] for each in await api.record(event_of(name))]

    actor = f"key:{made['key_id']}"
    [rebuild] = (await api.read(f"/v1/audit?actor={actor}&min_position={head}"))["items"]
    assert (rebuild["type"], rebuild["stream"]) == (
        "projection.rebuild_requested",
        "projection-visits",
    )
    assert rebuild["data"]["accept_differences"] is False
    assert rebuild["metadata"]["request_id"] == request
    assert rebuild["metadata"]["actor"] == actor
    assert rebuild["title"] == "Asked for a rebuild of visits"

    assert (await api.post(revoke, {}, X_Request_Id=request)).status == 204
    [head] = [each["position"] for each in await api.record(event_of(name))]
    newest = (await api.read(f"/v1/audit?limit=200&min_position={head}"))["items"]
    ours = [act for act in newest if act["metadata"].get("request_id") == request]
    assert [act["type"] for act in ours] == [
        "api_key.revoked",
        "projection.rebuild_requested",
        "api_key.created",
    ]
    assert ours[-1]["title"] == f"Made an API key for {name}"


def event_of(customer_id: str) -> dict[str, object]:
    return {"type": "Seen", "customer_id": customer_id, "data": {}}


async def test_a_customer_id_that_is_an_email_address_stands_in_the_log(
    api: Api, tidings_up: TidingsUp
) -> None:
    """It is told in the threat model, for nothing can be done about it."""
    address = f"{uuid4().hex}@example.org"
    [outcome] = await api.record(event_of(address))
    [event] = (await api.read(f"/v1/events?after={outcome['position'] - 1}&limit=1"))["items"]
    assert (event["stream"], event["customer_id"]) == (f"activity-{address}", address)
    assert (await api.get(f"/v1/customers/{address}?limit=1")).status == 400

    async def is_logged(path: str) -> bool:
        return path in tidings_up.output()

    await until_async(partial(is_logged, f"/v1/customers/{address}"), seconds=SECONDS)
