"""Suppressions as services see them."""

import secrets

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio


async def test_a_channel_is_suppressed_and_used_again(api: Api) -> None:
    path = f"/v1/customers/customer-of-{secrets.token_hex(8)}"
    for channel in ("push", "email"):
        body = {"channel": channel, "reason": "asked"}
        assert (await api.post(f"{path}/suppress", body)).status == 200
    again = await api.post(f"{path}/suppress", {"channel": "email", "reason": "manual"})
    assert again.json()["events"] == []
    both = (await api.read(f"{path}/suppressions"))["items"]
    assert both == [{"channel": name, "reason": "asked"} for name in ("email", "push")]
    lifted = await api.post(f"{path}/lift-suppression", {"channel": "email"})
    assert lifted.json()["events"][0]["type"] == "suppression.lifted"
    assert (await api.read(f"{path}/suppressions"))["items"] == both[1:]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "email", "reason": "mood"}, "reason"),
        ({"channel": "E mail", "reason": "asked"}, "channel"),
        ({"channel": "email"}, "reason"),
    ],
)
async def test_what_is_no_suppression_is_refused(
    api: Api, body: dict[str, str], field: str
) -> None:
    answer = await api.post("/v1/customers/ann/suppress", body)
    assert (answer.status, answer.json()["field"]) == (400, field)
