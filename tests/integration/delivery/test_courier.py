"""The courier sends each message once, when it is time to, and says what came of it."""

import asyncio
from datetime import timedelta

import pytest

from app.delivery.channel import (
    AddressRefused,
    AfterInterruption,
    DestinationDown,
    NeverSo,
    NotNow,
    OutcomeUnknown,
    Outgoing,
)
from app.delivery.courier import MAX_AT_ONCE_A_CHANNEL
from app.delivery.rendering import Rendered, Rendering
from app.eventstore.execute import Step
from app.kernel.cipher import as_stored
from app.kernel.event import Metadata
from app.modules.customers.decider import CUSTOMER, WithdrawConsent
from app.modules.messages.decider import (
    DropMessage,
    NoteReceipt,
    ReceiptStatus,
    RequestMessage,
    RetryMessage,
)
from app.modules.messages.events import Priority
from tests.integration.conftest import on_one_server
from tests.integration.delivery.office import Office, Teller, always, the_first_time
from tests.integration.on_store import METADATA

pytestmark = [pytest.mark.anyio, on_one_server]


async def test_a_message_is_begun_sent_and_recorded_with_its_cause(office: Office) -> None:
    teller = Teller()
    async with office.courier(teller):
        await office.request("m", priority=Priority.HIGH)
        await office.until("sent", "m")
    [outgoing] = teller.taken
    assert outgoing == Outgoing("m", "ann", "news", "Words of m", priority="high")
    assert await office.history("m") == ["requested", "sending", "sent"]
    request, *others = await office.store.read_stream("message-m")
    assert {event.customer_id for event in others} == {"ann"}
    assert all(str(request.event_id).encode() in bytes(event.metadata) for event in others)


async def test_what_was_requested_before_there_was_a_courier_is_sent(office: Office) -> None:
    teller = Teller()
    ids = [f"m-{number}" for number in range(40)]
    for message_id in ids:
        await office.request(message_id)
    async with office.courier(teller):
        await office.until("sent", *ids)
        await office.until_true(lambda: _is_empty(office))
    assert sorted(teller.ids) == sorted(ids)


async def _is_empty(office: Office) -> bool:
    return not await office.kept()


async def test_a_text_for_the_inbox_costs_nobody_anything(office: Office) -> None:
    async with office.courier(Teller()):
        await office.request("now", "inbox")
        await office.request("witness")
        await office.until("sent", "witness")
    assert await office.history("now") == ["requested"]


async def test_templates_are_put_into_words_when_they_are_sent(office: Office) -> None:
    async def render(rendering: Rendering) -> Rendered:
        words = (
            f"{rendering.template} {rendering.parameters['what']} {rendering.traits['language']}"
        )
        return Rendered(words, "A subject", "<p>It</p>")

    teller = Teller("inbox")
    await office.register("ann", language="en-GB")
    await office.request("m", "inbox", text=None, template="shipped", parameters={"what": "shoes"})
    async with office.courier(teller, render=render):
        await office.until("sent", "m")
    assert await office.history("m") == ["requested", "sending", "sent"]
    [_, sending, _] = await office.store.read_stream("message-m")
    assert b"shipped shoes en-GB" in bytes(sending.data)
    assert b"A subject" in bytes(sending.data)


async def test_a_template_that_is_not_there_fails_for_good(office: Office) -> None:
    async with office.courier(Teller()):
        await office.request("m", text=None, template="nothing")
        await office.until("dead", "m")
    assert await office.history("m") == ["requested", "failed", "dead"]


async def test_nothing_is_sent_before_its_time(office: Office) -> None:
    teller = Teller()
    now = await office.store.now()
    async with office.courier(teller):
        await office.request("later", not_before=now + timedelta(hours=1))
        await office.request("witness")
        await office.until("sent", "witness")
        await office.until_true(lambda: _is_kept(office, {"later": "waiting"}))
        await office.pass_time(timedelta(hours=2))
        await office.until("sent", "later")


async def test_what_fails_for_a_time_is_tried_again_and_the_destination_says_when(
    office: Office,
) -> None:
    teller = Teller(behaves=the_first_time(NotNow("busy", after=timedelta(hours=1))))
    async with office.courier(teller):
        await office.request("m")
        await office.until_true(lambda: _has_failed(office))
        assert await office.state("m") == "waiting"
        await office.pass_time(timedelta(hours=2))
        await office.until("sent", "m")
    assert await office.history("m") == ["requested", "sending", "failed", "sending", "sent"]


async def _has_failed(office: Office) -> bool:
    return "failed" in await office.history("m")


@pytest.mark.parametrize(
    ("error", "history"),
    [
        (NeverSo("no"), ["requested", "sending", "failed", "sending", "sent"]),
        (AddressRefused("no"), ["requested", "sending", "bounced", "sending", "sent"]),
    ],
)
async def test_what_will_never_work_goes_by_the_next_channel(
    office: Office, error: Exception, history: list[str]
) -> None:
    first, second = Teller("first", behaves=always(error)), Teller("second")
    async with office.courier(first, second):
        await office.request("m", "first", "second")
        await office.until("sent", "m")
    assert await office.history("m") == history
    assert (first.ids, second.ids) == ([], ["m"])


async def test_a_channel_that_is_not_set_up_and_a_missing_address_are_passed_over(
    office: Office,
) -> None:
    mail = Teller("mail", address_trait="email")
    async with office.courier(mail, Teller()):
        await office.request("m", "pigeon", "mail", "teller")
        await office.until("sent", "m")
        await office.register("ben", email="ben@example.com")
        await office.request("n", "mail", customer_id="ben")
        await office.until("sent", "n")
    assert await office.history("m") == ["requested", "failed", "failed", "sending", "sent"]
    assert [outgoing.address for outgoing in mail.taken] == ["ben@example.com"]


async def test_by_a_suppressed_channel_nothing_is_sent_until_that_is_lifted(
    office: Office,
) -> None:
    first, second = Teller("first"), Teller("second")
    await office.suppress("first")
    async with office.courier(first, second):
        await office.request("m", "first", "second")
        await office.request("n", "first")
        await office.until("sent", "m")
        await office.until("dead", "n")
        assert (await office.desk.status("n", as_stored)).error == (
            "the channel first is suppressed: asked"
        )
        await office.suppress("first", lift=True)
        await office.do("n", RetryMessage())
        await office.until("sent", "n")
    assert await office.history("m") == ["requested", "failed", "sending", "sent"]
    assert (first.ids, second.ids) == (["n"], ["m"])


async def test_what_is_declined_while_it_waits_a_rule_no_longer_sends(office: Office) -> None:
    first, second = Teller("first"), Teller("second")
    later = await office.store.now() + timedelta(hours=1)
    wanted = RequestMessage("news", "Words", channels=("first", "second"), not_before=later)
    by_rule = Metadata(correlation_id="c-1", request_id="r-1", actor="rule:newsletter")
    async with office.courier(first, second):
        await office.do("m", wanted, metadata=by_rule)
        await office.do("n", wanted)
        declined = Step(CUSTOMER, "ann", WithdrawConsent("first", "news"), "ann")
        await office.executor.execute(declined, metadata=METADATA)
        await office.pass_time(timedelta(hours=2))
        await office.until("sent", "m", "n")
    assert await office.history("m") == ["requested", "failed", "sending", "sent"]
    assert (first.ids, second.ids) == (["n"], ["m"])


async def test_what_nobody_knows_stays_unknown_until_somebody_decides(office: Office) -> None:
    teller = Teller(
        after_interruption=AfterInterruption.GIVE_UP,
        behaves=the_first_time(OutcomeUnknown("lost")),
    )
    async with office.courier(teller):
        await office.request("m")
        await office.request("n")
        await office.until("unknown", "m", "n")
        await office.until_true(lambda: _is_kept(office, {"m": "unknown", "n": "unknown"}))
        await office.do("m", RetryMessage())
        await office.do("n", DropMessage())
        await office.until("sent", "m")
        await office.until_true(lambda: _is_kept(office, {}))
    assert teller.tries == {"m": 2, "n": 1}


async def _is_kept(office: Office, expected: dict[str, str]) -> bool:
    return await office.kept() == expected


async def test_by_a_channel_that_knows_ids_what_is_in_doubt_is_sent_again(office: Office) -> None:
    teller = Teller(behaves=the_first_time(RuntimeError("a bug")))
    async with office.courier(teller):
        await office.request("m")
        await office.until("sent", "m")
    assert await office.history("m") == ["requested", "sending", "failed", "sending", "sent"]


async def test_a_provider_that_gives_it_back_makes_it_go_by_the_next_channel(
    office: Office,
) -> None:
    first, second = Teller("first"), Teller("second")
    async with office.courier(first, second):
        await office.request("m", "first", "second")
        await office.until("sent", "m")
        note = NoteReceipt("first", ReceiptStatus.BOUNCED_HARD, await office.store.now())
        await office.do("m", note)
        await office.until_true(lambda: _was_taken(second))


async def _was_taken(teller: Teller) -> bool:
    return bool(teller.taken)


async def test_a_destination_that_hangs_delays_no_other(office: Office) -> None:
    async def hang(_outgoing: Outgoing, _tries: int) -> None:
        await asyncio.sleep(3600)

    stuck, teller = Teller("stuck", behaves=hang), Teller()
    for number in range(3 * MAX_AT_ONCE_A_CHANNEL):
        await office.request(f"stuck-{number}", "stuck")
    async with office.courier(stuck, teller) as running:
        ids = [f"m-{number}" for number in range(2 * MAX_AT_ONCE_A_CHANNEL)]
        for message_id in ids:
            await office.request(message_id)
        await office.until("sent", *ids)
        assert sum(stuck.tries.values()) == MAX_AT_ONCE_A_CHANNEL
        running.cancel()


async def test_a_destination_that_is_down_is_left_alone(office: Office) -> None:
    down = Teller("down", behaves=always(DestinationDown("nobody there")))
    for number in range(100):
        await office.request(f"m-{number}", "down")
    async with office.courier(down, Teller()):
        await office.request("witness")
        await office.until("sent", "witness")
        await asyncio.sleep(0.5)
    assert sum(down.tries.values()) <= 2 * MAX_AT_ONCE_A_CHANNEL
    assert max(down.tries.values()) <= 3


async def test_messages_that_nobody_can_make_anything_of_delay_no_other(office: Office) -> None:
    async def render(_rendering: Rendering) -> Rendered:
        raise RuntimeError("a fault of ours")

    teller = Teller()
    for number in range(2 * MAX_AT_ONCE_A_CHANNEL):
        await office.request(f"odd-{number}", text=None, template="odd")
    await office.request("m")
    async with office.courier(teller, render=render):
        await office.until("sent", "m")
    assert teller.ids == ["m"]


async def test_what_is_urgent_goes_first(office: Office) -> None:
    gate = asyncio.Event()

    async def wait_at_the_gate(_outgoing: Outgoing, _tries: int) -> None:
        await gate.wait()

    teller = Teller(behaves=wait_at_the_gate)
    first = [f"first-{number}" for number in range(MAX_AT_ONCE_A_CHANNEL)]
    low = [f"low-{number}" for number in range(2 * MAX_AT_ONCE_A_CHANNEL)]
    async with office.courier(teller):
        for message_id in first:
            await office.request(message_id)
        await office.until("sending", *first)
        for message_id in low:
            await office.request(message_id, priority=Priority.LOW)
        await office.request("urgent", priority=Priority.HIGH)
        await office.until_true(lambda: _is_known(office, "urgent"))
        gate.set()
        await office.until("sent", *low, "urgent")
    assert teller.ids.index("urgent") < 2 * MAX_AT_ONCE_A_CHANNEL, "it was requested last"


async def _is_known(office: Office, message_id: str) -> bool:
    return message_id in await office.kept()


async def test_of_two_couriers_one_sends(office: Office) -> None:
    one, other = Teller(), Teller()
    ids = [f"m-{number}" for number in range(30)]
    async with office.courier(one), office.courier(other):
        for message_id in ids:
            await office.request(message_id)
        await office.until("sent", *ids)
    assert sorted(one.ids + other.ids) == sorted(ids)
    assert not (one.ids and other.ids)


async def test_a_courier_that_is_stopped_finishes_what_is_under_way(office: Office) -> None:
    begun = asyncio.Event()

    async def slowly(_outgoing: Outgoing, _tries: int) -> None:
        begun.set()
        await asyncio.sleep(0.3)

    teller = Teller(behaves=slowly)
    await office.request("m")
    async with office.courier(teller):
        await begun.wait()
    assert await office.state("m") == "sent"


@pytest.mark.parametrize(
    ("after", "expected", "tries"),
    [(AfterInterruption.SEND_AGAIN, "sent", 2), (AfterInterruption.GIVE_UP, "unknown", 1)],
)
async def test_what_a_dead_courier_left_is_taken_up(
    office: Office, after: AfterInterruption, expected: str, tries: int
) -> None:
    begun = asyncio.Event()

    async def hang_once(_outgoing: Outgoing, tried: int) -> None:
        begun.set()
        if tried == 1:
            await asyncio.sleep(3600)

    teller = Teller(after_interruption=after, behaves=hang_once)
    await office.request("m")
    async with office.courier(teller) as running:
        await begun.wait()
        running.cancel()
    async with office.courier(teller):
        await office.until(expected, "m")
    assert teller.tries["m"] == tries


async def test_the_erased_are_told_nothing_more(office: Office) -> None:
    teller = Teller()
    later = await office.store.now() + timedelta(hours=1)
    await office.request("m", not_before=later, customer_id="ann")
    async with office.courier(teller):
        await office.until_true(lambda: _is_kept(office, {"m": "waiting"}))
        await office.rows(
            "INSERT INTO tombstones (customer_id, erased_at) VALUES ('ann', clock_now())"
        )
        await office.pass_time(timedelta(hours=2))
        await asyncio.sleep(0.7)
    assert teller.taken == []
    assert await office.history("m") == ["requested"]
