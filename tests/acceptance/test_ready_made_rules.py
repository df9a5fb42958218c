"""Each ready-made rule, over HTTP on a store whose clock is moved on, by mail and to the inbox.

It acts, and its exceptions keep it quiet, with the reason on the timeline. What a rule does in full
is held by `tests/unit/engagement/test_ready_made_for_*.py`.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.bootstrap.simulation import StoreHand, hand_on
from app.embedded import find_running
from app.engagement import ready_made
from app.engagement.shares import HOLDOUT, is_in_share
from app.running import database_of
from app.settings import read_settings
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.mail import Mailbox, mail_server
from tests.fixtures.tidings_up import TidingsUp

pytestmark = pytest.mark.anyio

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WITHIN_S = 30


@dataclass(frozen=True)
class Stage:
    """A Tidings with all ready-made rules live, a mail server, and a hand on the store's clock."""

    api: Api
    hand: StoreHand
    mailbox: Mailbox

    async def post(self, path: str, **body: Any) -> None:
        answer = await self.api.post(f"/v1/{path}", body)
        assert answer.status == 200, answer

    async def passes(self, time: timedelta) -> None:
        """So much time, after all that has happened has led to all that it leads to."""
        await self.hand.rest()
        await self.hand.move(time)
        await self.hand.rest()

    async def somebody(self, *agreed: str, **traits: str) -> str:
        """A customer who has agreed to hear of topics, by mail and inbox."""
        customer_id = f"customer-{uuid4()}"
        while is_held_out(customer_id):
            customer_id = f"customer-{uuid4()}"
        if traits:
            await self.post(f"customers/{customer_id}/register", traits=traits)
        for topic in agreed:
            for channel in ("email", "inbox"):
                path = f"customers/{customer_id}/record-consent"
                await self.post(path, channel=channel, topic=topic)
        return customer_id

    async def decided(self, customer_id: str) -> list[str]:
        """What the timeline says was decided, in order: rule, outcome, reasons."""
        return [
            " ".join([each["rule"], each["outcome"], *(held["by"] for held in each["held"])])
            for each in await self._data(customer_id, "decision.made")
        ]

    async def inbox(self, customer_id: str, kind: str) -> list[str]:
        """What it says of the kind, newest first."""
        target = f"/v1/customers/{customer_id}/inbox?min_position={await self._head()}"
        items = (await self.api.read(target))["items"]
        return [item["text"] for item in items if item["kind"] == kind]

    async def mails_to(self, address: str) -> list[str]:
        """What they say; all that is to be sent has been."""
        await self.hand.rest()
        return [mail.get_content().strip() for mail in self.mailbox.mails if mail["To"] == address]

    async def issued(self, customer_id: str) -> list[Any]:
        """The customer's offers, as the API shows them."""
        target = f"/v1/customers/{customer_id}/offers?min_position={await self._head()}"
        items: list[Any] = (await self.api.read(target))["items"]
        return items

    async def offers(self, customer_id: str) -> list[str]:
        return [each["offer"] for each in await self._data(customer_id, "offer.issued")]

    async def _data(self, customer_id: str, event_type: str) -> list[Any]:
        target = f"/v1/customers/{customer_id}/timeline"
        entries = await self.api.all_items(target, min_position=await self._head())
        return [entry["data"] for entry in reversed(entries) if entry["type"] == event_type]

    async def _head(self) -> int:
        await self.hand.rest()
        head: int = (await self.api.read("/v1/reactions"))["engagement"]["position"]
        return head


def is_held_out(customer_id: str) -> bool:
    return is_in_share(HOLDOUT, "win-back", customer_id, 10)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        mailbox = await stack.enter_async_context(mail_server())
        running = TidingsUp(
            tmp_path_factory.mktemp("engagement"),
            smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
            smtp_from="Shop <shop@example.com>",
        )
        stack.callback(running.close)
        running.start()
        settings = read_settings(running.environment)
        database = database_of(settings, find_running(running.data_dir) or "")
        hand = await stack.enter_async_context(hand_on(database))
        api = await stack.enter_async_context(api_of(running.url))
        await set_live(api)
        yield Stage(api, hand, mailbox)


async def set_live(api: Api) -> None:
    """All of them, as they come."""
    for name in ready_made.template_names():
        answer = await api.send("PUT", f"/v1/templates/{name}", ready_made.template(name))
        assert answer.status == 200, answer
    for name in ready_made.names():
        answer = await api.send("PUT", f"/v1/rules/{name}", ready_made.rule(name))
        assert answer.status == 200, answer
        answer = await api.post(f"/v1/rules/{name}/go-live", {"version": 1})
        assert answer.status == 200, answer

    async def has_begun() -> bool:
        return (await api.read("/v1/reactions"))["engagement"] is not None

    await until_async(has_begun, seconds=WITHIN_S)


async def pay(stage: Stage, customer_id: str, amount: int) -> str:
    """By the customer's card; the payment's id."""
    payment_id = f"payment-{uuid4()}"
    paid = {"customer_id": customer_id, "kind": "card", "paid_from": f"card-of-{customer_id}"}
    sums = {"amount": amount, "currency": "EUR", "counterparty": "Gadget World"}
    await stage.post(f"transactions/{payment_id}/record", **paid, **sums)
    return payment_id


async def types_in(stage: Stage, stream: str) -> list[str]:
    return [event["type"] for event in (await stage.api.read(f"/v1/streams/{stream}"))["items"]]


async def test_payments_in_quick_succession_are_held_and_warned_of(stage: Stage) -> None:
    ann = await stage.somebody()
    *_, last = [await pay(stage, ann, 1_000) for _ in range(6)]
    assert await stage.decided(ann) == ["suspicious-payment acted"]
    assert "transaction.held" in await types_in(stage, f"transaction-{last}")
    # There is no address: it falls back to the inbox.
    [warning] = await stage.inbox(ann, "fraud-warning")
    assert "unusually often" in warning


async def test_much_money_is_held_but_nobody_is_warned_who_declined(stage: Stage) -> None:
    ben = await stage.somebody()
    for channel in ("email", "inbox"):
        declined = {"channel": channel, "topic": "fraud-warning"}
        await stage.post(f"customers/{ben}/withdraw-consent", **declined)
    await pay(stage, ben, 150_000)
    last = await pay(stage, ben, 150_000)
    reasons = "consent_withdrawn consent_withdrawn"
    assert await stage.decided(ben) == [f"suspicious-amount acted {reasons}"]
    assert "transaction.held" in await types_in(stage, f"transaction-{last}")
    assert await stage.inbox(ben, "fraud-warning") == []


async def test_a_burst_of_questions_is_looked_at_as_one_once_a_week(stage: Stage) -> None:
    ann = await stage.somebody()
    asked = {"customer_id": ann, "text": "Where is it?", "channel": "email", "topic": "delivery"}
    questions = [f"question-{uuid4()}" for _ in range(6)]
    for each in questions:
        await stage.post(f"questions/{each}/open", **asked, time_zone="Europe/Berlin")
    assert await stage.decided(ann) == ["support-burst acted", "support-burst held_back re_entry"]
    opened, *_ = await types_in(stage, f"question-burst-{questions[2]}")
    assert opened == "support.question_opened"
    assert len(await stage.inbox(ann, "support-care")) == 1


async def click(stage: Stage, customer_id: str) -> None:
    await stage.api.record(
        {"type": "Offer Clicked", "customer_id": customer_id, "data": {"offer": "boots"}}
    )


async def order(stage: Stage, customer_id: str) -> str:
    order_id = f"order-{uuid4()}"
    lines = [{"sku": f"sku-{order_id}", "quantity": 1, "unit_price": 1250}]
    await stage.post(f"inventory/sku-{order_id}/receive", quantity=1)
    placed = {"customer_id": customer_id, "currency": "EUR", "lines": lines}
    await stage.post(f"orders/{order_id}/place", **placed)
    return order_id


async def test_an_offer_that_was_clicked_becomes_a_code_by_mail(stage: Stage) -> None:
    address = f"{uuid4()}@example.com"
    ann = await stage.somebody("offers", email=address)
    ben, cleo = await stage.somebody("offers"), await stage.somebody()
    for each in (ann, ben, cleo):
        await click(stage, each)
    await order(stage, ben)
    await stage.passes(2 * HOUR)
    assert await stage.decided(ann) == ["clicked-offer acted"]
    [mail] = await stage.mails_to(address)
    issued = await stage.issued(ann)
    assert issued[0]["code"] in mail
    assert await stage.decided(ben) == []
    assert await stage.decided(cleo) == ["clicked-offer held_back no_consent no_consent not_sent"]
    await stage.passes(DAY)
    await click(stage, ann)
    await stage.passes(2 * HOUR)
    assert (await stage.decided(ann))[1:] == ["clicked-offer held_back offer_limit"]


async def test_a_cart_that_is_left_is_mentioned_and_one_that_is_not_is_not(stage: Stage) -> None:
    ann, ben, cleo = [await stage.somebody(*topics) for topics in (["reminders"],) * 2 + ([],)]
    thing = {"sku": "A-7", "quantity": 1, "unit_price": 8900, "currency": "EUR"}
    for each in (ann, ben, cleo):
        await stage.post(f"carts/cart-of-{each}/open", customer_id=each)
        await stage.post(f"carts/cart-of-{each}/add-item", **thing)
    await stage.post(f"carts/cart-of-{ben}/check-out")
    await stage.passes(DAY)
    assert await stage.decided(ann) == ["abandoned-cart acted"]
    [reminder] = await stage.inbox(ann, "reminders")
    assert "A-7 is still in your cart" in reminder
    assert await stage.decided(ben) == []
    assert await stage.decided(cleo) == ["abandoned-cart held_back no_consent no_consent"]
    await stage.post(f"carts/cart-of-{ann}/add-item", **{**thing, "sku": "B-2"})
    await stage.post(f"carts/cart-of-{ann}/check-out")
    assert (await stage.decided(ann))[1:] == ["abandoned-cart ended goal"]


async def test_an_order_is_told_of_by_mail_until_it_is_there(stage: Stage) -> None:
    addresses = [f"{uuid4()}@example.com" for _ in range(2)]
    ann, ben = [await stage.somebody(email=each) for each in addresses]
    await stage.post(f"customers/{ben}/suppress", channel="email", reason="hard_bounce")
    for each in (ann, ben):
        order_id = await order(stage, each)
        await stage.hand.rest()
        await stage.post(f"payments/order-{order_id}/confirm")
        for command in ("ship", "deliver"):
            await stage.hand.rest()
            await stage.post(f"orders/{order_id}/{command}")
    assert await stage.decided(ann) == ["order-updates acted"] * 3
    mails = await stage.mails_to(addresses[0])
    assert [mail.split(" ", 3)[3] for mail in mails] == [
        "is confirmed. We pack it now.",
        "is on its way.",
        "was delivered. Enjoy it!",
    ]
    assert set(await stage.decided(ben)) == {"order-updates held_back suppressed"}
    assert await stage.mails_to(addresses[1]) == []


async def test_a_rider_who_waits_for_long_is_told_so(stage: Stage) -> None:
    ann, ben = await stage.somebody(), await stage.somebody()
    for each in (ann, ben):
        ride, driver = f"rides/ride-of-{each}", f"driver-of-{each}"
        await stage.post(f"{ride}/request", customer_id=each, pickup="Here", dropoff="There")
        await stage.post(f"{ride}/offer", driver_ids=[driver], seconds=60)
        await stage.post(f"{ride}/claim", driver_id=driver)
    await stage.post(f"rides/ride-of-{ben}/arrive", driver_id=f"driver-of-{ben}")
    await stage.passes(10 * MINUTE)
    for command in ("arrive", "start", "complete"):
        await stage.post(f"rides/ride-of-{ann}/{command}", driver_id=f"driver-of-{ann}")
    assert await stage.decided(ann) == ["ride-updates acted"] * 2
    assert len(await stage.inbox(ann, "ride-updates")) == 2
    assert await stage.decided(ben) == []


async def play(stage: Stage, customer_id: str, *reports: str, progress_s: int = 1_000) -> None:
    playback = f"playbacks/{uuid4()}"
    title = {"title_id": "dune-2", "device_id": "tv", "length_s": 2_000}
    await stage.post(f"{playback}/start", customer_id=customer_id, **title)
    for number, report in enumerate(reports, 1):
        more = {"duration_ms": 2_000} if report == "report-buffering" else {}
        said = {"sequence": number, "progress_s": progress_s, **more}
        await stage.post(f"{playback}/{report}", **said)


async def test_an_episode_that_was_left_halfway_is_mentioned(stage: Stage) -> None:
    ann, ben, cleo = [await stage.somebody("reminders") for _ in range(3)]
    await play(stage, ann, "pause")
    await play(stage, ben, "pause", progress_s=1_950)
    await play(stage, cleo, "pause", "resume")
    await stage.passes(DAY)
    assert await stage.decided(ann) == ["unfinished-episode acted"]
    assert await stage.inbox(ann, "reminders") == [
        "You stopped dune-2 after 16 minutes. Go on where you were?"
    ]
    assert await stage.decided(ben) == ["unfinished-episode ended end"]
    assert await stage.decided(cleo) == []


async def test_a_viewer_who_has_to_wait_gets_one_discount_unless_many_do(stage: Stage) -> None:
    ann = await stage.somebody()
    waits = ["report-buffering"] * 3
    for _ in range(2):
        await play(stage, ann, *waits)
    assert await stage.decided(ann) == [
        "buffering-apology acted",
        "buffering-apology held_back offer_limit",
    ]
    assert await stage.offers(ann) == ["buffering-discount"]
    [apology] = await stage.inbox(ann, "apologies")
    [offer] = await stage.issued(ann)
    assert offer["code"] in apology
    await stage.passes(20 * MINUTE)
    viewers = [await stage.somebody() for _ in range(21)]
    for each in viewers:
        await play(stage, each, *waits)
    assert await stage.decided(viewers[0]) == ["buffering-apology acted"]
    assert await stage.decided(viewers[20]) == ["buffering-apology held_back mass not_sent"]


async def test_who_is_away_for_a_month_is_won_back_but_for_some(stage: Stage) -> None:
    ann, ben, cleo = [await stage.somebody(*topics) for topics in (["offers"],) * 2 + ([],)]
    held_out = next(
        each for each in (f"customer-{uuid4()}" for _ in range(999)) if is_held_out(each)
    )
    for each in (ann, ben, cleo, held_out):
        await order(stage, each)
    await play(stage, ben)
    await stage.passes(30 * DAY)
    assert await stage.decided(ann) == ["win-back acted"]
    [invitation] = await stage.inbox(ann, "offers")
    [offer] = await stage.issued(ann)
    assert offer["code"] in invitation
    assert await stage.decided(ben) == []
    assert await stage.decided(cleo) == ["win-back held_back no_consent no_consent not_sent"]
    assert await stage.decided(held_out) == ["win-back held_out"]


async def test_the_timeline_says_why(stage: Stage) -> None:
    ann = await stage.somebody()
    await click(stage, ann)
    await stage.passes(2 * HOUR)
    head = (await stage.api.log())[-1]["position"]
    timeline = f"/v1/customers/{ann}/timeline"
    [entry] = [
        each
        for each in await stage.api.all_items(timeline, min_position=head)
        if each["type"] == "decision.made"
    ]
    assert entry["title"] == (
        "Rule clicked-offer: held back "
        "(no consent for email, no consent for inbox, offer not issued)"
    )
    assert entry["data"]["held"][0] == {"by": "no_consent", "detail": "email, offers"}
