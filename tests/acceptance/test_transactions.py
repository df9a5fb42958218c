"""Transactions, cards and accounts over HTTP, as far as they go without reactions."""

from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Answer, Api

pytestmark = pytest.mark.anyio

RISK = {"score": 91, "reasons": ["unusual country"], "scorer": "scorer-2"}


class Payment:
    """A customer's card payment, with ids of its own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        name = uuid4()
        self.customer_id, self.card_id = f"customer-of-{name}", f"card-of-{name}"
        self.path = f"/v1/transactions/t-{name}"
        self.own_path = f"/v1/customers/{self.customer_id}/transactions/t-{name}"
        self.stream = f"transaction-t-{name}"

    async def record(self, **other: object) -> Answer:
        return await self.api.post(
            f"{self.path}/record",
            {
                "customer_id": self.customer_id,
                "kind": "card",
                "paid_from": self.card_id,
                "amount": 129_900,
                "currency": "EUR",
                "counterparty": "Gadget World",
                **other,
            },
        )

    async def held(self) -> "Payment":
        assert (await self.record()).status == 200
        assert (await self.api.post(f"{self.path}/record-risk", RISK)).status == 200
        return self

    async def events(self) -> list[Any]:
        items: list[Any] = (await self.api.read(f"/v1/streams/{self.stream}"))["items"]
        return items

    async def types(self) -> list[str]:
        return [event["type"].removeprefix("transaction.") for event in await self.events()]


def types_of(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [event["type"] for event in answer.json()["events"]]


async def test_a_payment_is_recorded_with_its_card_and_a_repeat_records_nothing(api: Api) -> None:
    payment = Payment(api)
    assert types_of(await payment.record()) == ["transaction.recorded", "card.charged"]
    assert types_of(await payment.record()) == []
    other = await payment.record(amount=1)
    assert (other.status, other.code) == (409, "other-transaction")
    [recorded] = await payment.events()
    assert recorded["customer_id"] == payment.customer_id
    assert recorded["data"]["amount"] == 129_900
    [charged] = (await api.read(f"/v1/streams/card-{payment.card_id}"))["items"]
    assert charged["customer_id"] is None


async def test_the_counterparty_is_sealed(api: Api) -> None:
    payment = Payment(api)
    await payment.record(counterparty="Dr. Sealed")
    assert types_of(await payment.record(counterparty="Dr. Sealed")) == []
    made = await api.post("/v1/keys", {"name": f"reader {uuid4()}", "scopes": ["events:read"]})
    key = made.json()["key"]
    masked = await api.get(f"/v1/streams/{payment.stream}", Authorization=f"Bearer {key}")
    assert masked.status == 200
    assert "Dr. Sealed" not in masked.body.decode()


async def test_a_risk_holds_it_and_a_yes_releases_it(api: Api) -> None:
    payment = await Payment(api).held()
    again = await api.post(f"{payment.path}/record-risk", RISK)
    assert types_of(again) == []
    released = await api.post(f"{payment.path}/confirm", {})
    assert types_of(released) == ["transaction.confirmed", "transaction.released"]
    assert types_of(await api.post(f"{payment.path}/confirm", {})) == []
    otherwise = await api.post(f"{payment.path}/deny", {})
    assert (otherwise.status, otherwise.code) == (409, "answered-otherwise")
    assert {event["customer_id"] for event in await payment.events()} == {payment.customer_id}


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    nothing = f"nothing-{uuid4()}"
    for path, body, code in (
        (f"/v1/transactions/{nothing}/record-risk", RISK, "no-such-transaction"),
        (f"/v1/transactions/{nothing}/confirm", {}, "no-such-transaction"),
        (f"/v1/cards/{nothing}/unfreeze", {"customer_id": "ann"}, "no-such-card"),
        (f"/v1/cases/{nothing}/resolve", {"outcome": "released", "analyst": "a"}, "no-such-case"),
    ):
        answer = await api.post(path, body)
        assert (answer.status, answer.code) == (404, code)


async def test_a_customers_own_token_answers_for_the_own_transactions_alone(api: Api) -> None:
    payment, other = await Payment(api).held(), await Payment(api).held()
    made = await api.post(f"/v1/customers/{payment.customer_id}/tokens", {})
    own = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await api.post(f"{payment.path}/confirm", {}, **own)).status == 403
    assert (await api.post(f"{other.own_path}/confirm", {}, **own)).status == 403
    stolen = other.own_path.replace(other.customer_id, payment.customer_id, 1)
    assert (await api.post(f"{stolen}/confirm", {}, **own)).status == 404
    denied = await api.post(f"{payment.own_path}/deny", {}, **own)
    assert types_of(denied) == ["transaction.denied", "transaction.blocked"]
    assert (await payment.events())[-1]["metadata"]["actor"] == f"customer:{payment.customer_id}"
    assert await other.types() == ["recorded", "risk_recorded", "held"]


async def test_a_frozen_card_takes_no_payments(api: Api) -> None:
    payment = Payment(api)
    owner = {"customer_id": payment.customer_id}
    frozen = await api.post(f"/v1/cards/{payment.card_id}/freeze", {**owner, "reason": "lost"})
    assert types_of(frozen) == ["card.frozen"]
    refused = await payment.record()
    assert (refused.status, refused.code) == (409, "card-is-frozen")
    assert (await api.get(f"/v1/streams/{payment.stream}")).status == 404
    assert types_of(await api.post(f"/v1/cards/{payment.card_id}/unfreeze", owner)) == [
        "card.unfrozen"
    ]
    assert len(types_of(await payment.record())) == 2


async def test_a_limit_is_set(api: Api) -> None:
    limit = {"customer_id": "ann", "amount": 500_000, "currency": "EUR"}
    path = f"/v1/accounts/giro-{uuid4()}/set-transfer-limit"
    assert types_of(await api.post(path, limit)) == ["account.transfer_limit_set"]
    others = await api.post(path, {**limit, "customer_id": "ben"})
    assert (others.status, others.code) == (409, "other-customers-account")


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", 0), ("amount", 1.5), ("currency", "eur"), ("kind", "cash"), ("paid_from", "a/b")],
)
async def test_what_makes_no_sense_is_invalid(api: Api, field: str, value: object) -> None:
    answer = await Payment(api).record(**{field: value})
    assert (answer.status, answer.problem["field"]) == (400, field)
