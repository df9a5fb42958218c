"""The story is the same each time it is told, and all of it is fit to be sent."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.kernel.event import Metadata
from app.kernel.ids import check_customer_id, derived_event_id
from app.modules.customers import decider, routes
from app.modules.customers.identities import normalised
from app.modules.interactions.incoming import IncomingEvent, Intake
from app.simulation.crowd import person_of
from app.simulation.messages import Command, Event, Message
from app.simulation.story import PAST, Story

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PEOPLE = 40
LIVE_MESSAGES = 3_000
SEEDS = (0, 1, 987_654_321)


def told(seed: int, people: int = PEOPLE, live: int = LIVE_MESSAGES) -> list[Message]:
    story = Story(seed, people)
    return [*story.past(NOW - PAST), *story.accounts(), *islice(story.live(), live)]


def sent(messages: Iterable[Message]) -> list[tuple[str, bytes, dict[str, str]]]:
    return [(each.path, each.body, dict(each.headers)) for each in messages]


def key_of(message: Message) -> str:
    return message.content.id if isinstance(message.content, Event) else message.content.key


def test_the_same_seed_tells_the_same_story() -> None:
    assert sent(told(7)) == sent(told(7))


def test_another_seed_tells_of_others_under_other_ids() -> None:
    one, other = told(7), told(8)
    assert not {each.person.customer_id for each in one} & {o.person.customer_id for o in other}
    assert not set(map(key_of, one)) & set(map(key_of, other))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_id_comes_twice(seed: int) -> None:
    assert set(Counter(map(key_of, told(seed))).values()) == {1}


def test_a_larger_crowd_only_adds_people() -> None:
    by_key = {key_of(each): each for each in told(7, people=2 * PEOPLE, live=4 * LIVE_MESSAGES)}
    few = told(7, live=LIVE_MESSAGES // 2)
    assert sent(few) == sent(by_key[key_of(each)] for each in few)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_is_accepted_by_the_rules_of_intake(seed: int) -> None:
    intake = Intake(catalogue=CATALOGUE, secret=b"s" * 32, clock=lambda: NOW)
    for message in told(seed):
        if message.is_event:
            append = intake.append_of(message.body, Metadata(source="test"))
            (event,) = append.streams[0].events
            assert event.event_id == derived_event_id("test", "event", key_of(message), 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_past_is_over_and_live_events_happen_when_they_are_sent(seed: int) -> None:
    story = Story(seed, PEOPLE)
    past = [msgspec.json.decode(each.body, type=IncomingEvent) for each in story.past(NOW - PAST)]
    times = [each.occurred_at for each in past if isinstance(each.occurred_at, datetime)]
    assert len(times) == len(past)
    assert times[0] == min(times) == NOW - PAST
    assert max(times) <= NOW
    for message in islice(story.live(), LIVE_MESSAGES):
        assert b"occurred_at" not in message.body


def test_the_opening_stream_is_that_of_the_first_event() -> None:
    story = Story(7, PEOPLE)
    first = next(story.past(NOW)).content
    assert isinstance(first, Event)
    assert story.opening_stream == f"activity-~{first.anonymous_id}"


BODIES: dict[str, Any] = {
    "register": routes.Registration,
    "change-traits": routes.TraitChanges,
    "record-consent": routes.ConsentSubject,
    "withdraw-consent": routes.ConsentSubject,
    "link-identity": routes.IdentityValue,
}


def as_decided(content: Command, body: bytes, identities: dict[str, UUID]) -> Any:
    """The command as the route hands it to the decider."""
    fields = msgspec.json.decode(body, type=BODIES[content.name])
    match content.name:
        case "register":
            return decider.Register(routes.check_traits(fields.traits))
        case "change-traits":
            return decider.ChangeTraits(routes.check_traits(fields.traits))
        case "record-consent":
            return decider.RecordConsent(fields.channel, fields.topic)
        case "withdraw-consent":
            return decider.WithdrawConsent(fields.channel, fields.topic)
        case _:
            value = normalised(fields.kind, fields.value)
            assert value not in identities, "an identity is one person's"
            identities[value] = UUID(int=len(identities))
            return decider.LinkIdentity(identities[value], fields.kind)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_command_records_something_so_that_its_repeat_is_recognised(seed: int) -> None:
    customers: dict[str, decider.Customer] = defaultdict(decider.Customer)
    identities: dict[str, UUID] = {}
    for message in told(seed):
        if isinstance(message.content, Command):
            customer_id = check_customer_id(message.person.customer_id)
            command = as_decided(message.content, message.body, identities)
            events = decider.decide_customer(command, customers[customer_id])
            assert events, message
            for event in events:
                customers[customer_id] = decider.evolve_customer(customers[customer_id], event)
    assert all(customer.registered for customer in customers.values())
    assert len(customers) == PEOPLE


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_acts_as_a_customer_before_signing_up_live(seed: int) -> None:
    signed_up = {each.person.number for each in Story(seed, PEOPLE).accounts()}
    for message in islice(Story(seed, PEOPLE).live(), LIVE_MESSAGES):
        if not message.is_event and message.name == "register":
            assert message.person.is_newcomer
            signed_up.add(message.person.number)
        assert not message.is_of_customer or message.person.number in signed_up


def test_addresses_are_nobodys_and_ids_hold_no_names() -> None:
    for number in range(500):
        person = person_of(7, number)
        assert person.email.endswith("@example.org")
        assert person.customer_id == f"customer-7-{number}"
