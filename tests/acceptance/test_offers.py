"""Offers from issue to the end, as services see them."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.kernel.cipher import MASK
from tests.acceptance.test_messages import key_with
from tests.fixtures.api import Answer, Api, until_async

pytestmark = pytest.mark.anyio

SECONDS = 20


class Offer:
    """An offer of the test's own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.id = f"offer-of-{secrets.token_hex(8)}"
        self.customer_id = f"customer-of-{secrets.token_hex(8)}"

    async def issue(self, lasts: timedelta = timedelta(days=1)) -> Answer:
        body = {
            "customer_id": self.customer_id,
            "offer": "ten-percent",
            "expires_at": (datetime.now(UTC) + lasts).isoformat(),
        }
        return await self.api.post(f"/v1/offers/{self.id}/issue", body)

    async def redeem(self, code: str, customer_id: str | None = None) -> Answer:
        body = {"customer_id": customer_id or self.customer_id, "code": code}
        return await self.api.post(f"/v1/offers/{self.id}/redeem", body)

    async def shown(self, **headers: str) -> Any:
        head = (await self.api.log())[-1]["position"]
        path = f"/v1/customers/{self.customer_id}/offers?min_position={head}"
        (offer,) = (await self.api.get(path, **headers)).json()["items"]
        return offer


@pytest.fixture
def offer(api: Api) -> Offer:
    return Offer(api)


async def test_a_code_is_redeemed_once_by_the_customer_whose_it_is(offer: Offer) -> None:
    assert (await offer.issue()).status == 200
    code = (await offer.shown())["code"]
    assert (await offer.redeem("AAAAAAAAAA")).json()["type"].endswith(":wrong-code")
    assert (await offer.redeem(code, "somebody-else")).status == 404
    answers = await asyncio.gather(*(offer.redeem(code.lower()) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    assert (await offer.shown())["status"] == "redeemed"


async def test_an_offer_expires_by_itself(offer: Offer) -> None:
    assert (await offer.issue(timedelta(seconds=1))).status == 200
    code = (await offer.shown())["code"]

    async def has_expired() -> bool:
        return bool((await offer.shown())["status"] == "expired")

    await until_async(has_expired, seconds=SECONDS)
    assert (await offer.redeem(code)).json()["type"].endswith(":code-expired")


async def test_a_code_is_sealed_in_the_log_and_masked_without_leave(api: Api, offer: Offer) -> None:
    await offer.issue()
    code = (await offer.shown())["code"]
    masked = await key_with(api, "offers:read", "events:read", "timeline:read")
    assert (await offer.shown(**masked))["code"] == MASK
    for path in (f"/v1/streams/offer-{offer.id}", f"/v1/customers/{offer.customer_id}/timeline"):
        answer = await api.get(path, **masked)
        assert answer.status == 200
        assert code not in answer.body.decode()


async def test_an_offer_whose_time_is_over_is_no_offer_to_issue(offer: Offer) -> None:
    answer = await offer.issue(timedelta(days=-1))
    assert (answer.status, answer.json()["field"]) == (400, "expires_at")


async def test_an_offer_beyond_the_years_that_can_be_read_is_none_to_issue(api: Api) -> None:
    body = {"customer_id": "o", "offer": "ten", "expires_at": "9999-12-31T23:59:59-14:00"}
    answer = await api.post("/v1/offers/far/issue", body)
    assert (answer.status, answer.json()["field"]) == (400, "expires_at")
