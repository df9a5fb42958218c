"""The stories of businesses: the same each time, and fit to be sent, whatever they are told."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec
import pytest

from app.http.fields import Nothing
from app.modules.accounts import routes as accounts
from app.modules.carts import routes as carts
from app.modules.customers import routes as customers
from app.modules.interactions.incoming import IncomingEvent
from app.modules.inventory import routes as inventory
from app.modules.orders import routes as orders
from app.modules.payments import routes as payments
from app.modules.playback import routes as playback
from app.modules.rides import routes as rides
from app.modules.support import routes as support
from app.simulation.cast import BUSINESSES, Part, days_of, live_parts, part_of, supplies
from app.simulation.crowd import Person, dice, person_of
from app.simulation.messages import Command, Message
from app.simulation.scripts import Await, Look, Step, Together, Wait

SEEDS = (0, 1, 987_654_321)
STORIES = 300
MAX_STEPS = 400

BODIES: Mapping[str, Any] = {
    "/events": IncomingEvent,
    "accounts/set-transfer-limit": accounts.TransferLimit,
    "cards/unfreeze": accounts.CardOwner,
    "carts/add-item": carts.Item,
    "carts/change-item": carts.ItemChange,
    "carts/check-out": Nothing,
    "carts/open": carts.Owner,
    "carts/remove-item": carts.ItemName,
    "cases/resolve": accounts.Resolution,
    "customers/link-identity": customers.IdentityValue,
    "inbox/read": Nothing,
    "inventory/receive": inventory.Receiving,
    "orders/cancel": orders.Cancelling,
    "orders/deliver": Nothing,
    "orders/place": orders.Placing,
    "orders/ship": Nothing,
    "payments/confirm": Nothing,
    "payments/confirm-refund": payments.RefundSent,
    "payments/decline": payments.Declining,
    "playbacks/finish": playback.PlayerReport,
    "playbacks/interrupt": playback.InterruptionReport,
    "playbacks/pause": playback.PlayerReport,
    "playbacks/report-buffering": playback.BufferingReport,
    "playbacks/report-progress": playback.PlayerReport,
    "playbacks/resume": playback.PlayerReport,
    "playbacks/start": playback.PlaybackStart,
    "questions/answer": support.QuestionAnswer,
    "questions/await-customer": Nothing,
    "questions/note-reply": support.CustomerReply,
    "questions/open": support.NewQuestion,
    "questions/resolve": Nothing,
    "rides/arrive": rides.Driver,
    "rides/cancel": Nothing,
    "rides/claim": rides.Driver,
    "rides/complete": rides.Driver,
    "rides/decline": rides.Driver,
    "rides/offer": rides.Offering,
    "rides/request": rides.RideRequest,
    "rides/start": rides.Driver,
    "rides/withdraw": rides.Driver,
    "subscriptions/cancel": Nothing,
    "subscriptions/lapse": Nothing,
    "subscriptions/start": playback.Terms,
    "transactions/confirm": Nothing,
    "transactions/deny": Nothing,
    "transactions/record": accounts.TransactionDetails,
    "transactions/record-risk": accounts.RiskSignal,
}
"""What each command that stories send has to say."""


def told(part: Part, chance_of: object) -> list[Message]:
    """All that a story sends, when it is answered by chance."""
    chance = dice("answers", chance_of)
    messages: list[Message] = []
    answer: Any = None
    for _ in range(MAX_STEPS):
        try:
            step: Step = part.script.send(answer)
        except StopIteration:
            return messages
        match step:
            case Together(posts):
                messages += [part.message(post) for post in posts]
                answer = [chance.random() < 0.7 for _ in posts]
            case Await(_, types, _):
                answer = chance.choice([None, *sorted(types), *sorted(types)])
            case Look(path) if "/payments/" in path:
                answer = {"refunds": [{"refund_id": "cancellation", "is_confirmed": False}]}
            case Look():
                answer = {"status": chance.choice(("shipped", "cancelled"))}
            case Wait():
                answer = None
    raise AssertionError(f"{part.name} does not end")


def all_told(seed: int, answers: object = 1) -> list[Message]:
    parts = [*supplies(seed, 30, days=2), *islice(live_parts(seed, 30), STORIES)]
    return [message for part in parts for message in told(part, (answers, part.name))]


def sent(messages: list[Message]) -> list[tuple[str, bytes, dict[str, str]]]:
    return [(each.path, each.body, dict(each.headers)) for each in messages]


def kind_of(message: Message) -> str:
    *_, things, _, command = message.path.split("/")
    return f"{things}/{command}"


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_answered_every_command_is_accepted_by_the_route_it_is_for(seed: int) -> None:
    for answers in range(3):
        for message in all_told(seed, answers):
            msgspec.json.decode(message.body, type=BODIES[kind_of(message)])


def test_every_command_that_is_known_here_is_sent() -> None:
    assert {kind_of(message) for seed in SEEDS for message in all_told(seed)} == BODIES.keys()


def test_the_same_seed_and_answers_tell_the_same_stories() -> None:
    assert sent(all_told(7)) == sent(all_told(7))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_key_comes_twice(seed: int) -> None:
    keys = Counter(
        message.content.key for message in all_told(seed) if isinstance(message.content, Command)
    )
    assert set(keys.values()) == {1}


def test_a_persons_stories_are_the_same_whoever_else_is_there() -> None:
    def of_person_3(people: int) -> list[str]:
        return [part.name for part in islice(live_parts(7, people), 200) if part.person.number == 3]

    few, many = of_person_3(5), of_person_3(9)
    assert few[: len(many)] == many
    assert few[:3] == ["7-3-0", "7-3-1", "7-3-2"]


def test_days_have_stories_of_every_business_for_everybody() -> None:
    scheduled = list(days_of(7, people=40, days=3))
    assert {each.part.person.number for each in scheduled} == set(range(40))
    assert max(each.at.days for each in scheduled) == 2


def person() -> Person:
    return person_of(7, 1)


@pytest.mark.parametrize("business", BUSINESSES, ids=lambda business: business.__name__)
def test_a_business_that_is_told_nothing_ends(business: Any) -> None:
    for number in range(50):
        part = Part(person(), f"{number}", business(dice(number), person(), f"{number}"))
        answer: Any = None
        for _ in range(MAX_STEPS):
            try:
                step = part.script.send(answer)
            except StopIteration:
                break
            answer = [False] * len(step.posts) if isinstance(step, Together) else None
            if isinstance(step, Look):
                answer = {"status": "cancelled", "refunds": []}
        else:
            raise AssertionError("it does not end")


def test_a_part_of_a_number_is_always_the_same() -> None:
    assert sent(told(part_of(person(), 4), 1)) == sent(told(part_of(person(), 4), 1))
