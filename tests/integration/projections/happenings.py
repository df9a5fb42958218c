"""Random histories of a few customers: every kind of event, in any order, late ones too."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from app.engagement.events import DecisionMade, Did, Held
from app.engagement.events import Outcome as Decided
from app.modules.accounts.events import CaseOpened, CaseResolved, Outcome
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
    IdentityUnlinked,
)
from app.modules.messages.events import (
    MessageDead,
    MessageDelivered,
    MessageOpened,
    MessageRead,
    MessageRequested,
    MessageSent,
    MessageUnknown,
)
from app.modules.offers.events import OfferExpired, OfferIssued, OfferRedeemed, OfferWithdrawn
from app.modules.operations.events import ReshardRequested, RetryRequested
from app.modules.rides.events import Failure, OfferDeclined, OfferFailed, RideClaimed, RideOffered
from tests.integration.projections.stage import (
    NOON,
    Happening,
    act,
    of,
    of_customer,
    of_message,
    of_ride,
    sent,
)

# Some close together, so that what happens on a day, or in one visit, is often more than one thing.
minutes = st.integers(-5000, 5000) | st.integers(-20, 20).map(lambda number: number * 10)
customer_ids = st.sampled_from(["ann", "ben"])
senders = st.sampled_from(["ann", "ben", "~v1", "~v2"])
names = st.sampled_from(["plan", "Größe"])
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    | st.lists(st.integers(), max_size=2)
)
traits = st.dictionaries(names, values, max_size=3)
channels = st.sampled_from(["email", "push"])
topics = st.sampled_from(["news", "offers"])
identity_ids = st.integers(1, 3).map(lambda number: UUID(int=number))
identity_kinds = st.sampled_from(["anonymous", "email"])

customers_events = st.one_of(
    st.builds(CustomerRegistered, traits),
    st.builds(CustomerTraitsChanged, traits),
    st.builds(ConsentRecorded, channels, topics),
    st.builds(ConsentWithdrawn, channels, topics),
    st.builds(IdentityLinked, identity_ids, identity_kinds),
    st.builds(IdentityUnlinked, identity_ids, identity_kinds),
)
sent_events: st.SearchStrategy[Happening] = st.builds(
    sent, senders, st.sampled_from(["Order Placed", "customer", "a.b"]), minutes=minutes
)
# Requested twice, read before or never requested: more than the decider would ever let happen.
of_messages: st.SearchStrategy[Happening] = st.builds(
    of_message,
    st.sampled_from(["m1", "m2"]),
    st.builds(MessageRequested, st.just("news"), st.sampled_from(["Hello", "Hallo"]))
    | st.just(MessageRead()),
    customer_id=customer_ids,
    minutes=minutes,
)
requests: st.SearchStrategy[Happening] = st.builds(
    of_message, st.just("m0"), st.just(MessageRequested("news", "Hello"))
)
# Over twice, before they were issued, issued to two customers: as with messages.
codes: st.SearchStrategy[Happening] = st.builds(
    lambda offer_id, event, customer_id: of(f"offer-{offer_id}", event, customer_id=customer_id),
    st.sampled_from(["o1", "o2"]),
    st.sampled_from(
        [
            OfferIssued("ann", "half", "CODE", NOON),
            OfferIssued("ann", "all", "CODE", NOON),
            OfferRedeemed("half"),
            OfferWithdrawn("half"),
            OfferExpired("half"),
        ]
    ),
    customer_ids,
)
first_code = st.just(of("offer-o0", OfferIssued("ann", "half", "CODE", NOON), customer_id="ann"))
acts: st.SearchStrategy[Happening] = st.builds(
    act,
    st.builds(RetryRequested, st.sampled_from(["timeline", "visits"]), st.none() | customer_ids)
    | st.builds(ReshardRequested, st.just("timeline"), st.integers(1, 64)),
    st.sampled_from(["cli:ann", "key:3kTMd1AqzX0b"]),
)
driver_ids = st.sampled_from(["dina", "emil", "faye"])
drivers = st.lists(driver_ids, min_size=1, max_size=3, unique=True).map(tuple)
rounds = st.integers(1, 3)
offers = st.builds(
    of_ride, st.just("ann"), st.builds(RideOffered, rounds, drivers, st.just(NOON), st.just("here"))
)
rides_events = offers | st.builds(
    of_ride,
    st.just("ann"),
    st.one_of(
        st.builds(OfferDeclined, rounds, driver_ids),
        st.builds(OfferFailed, rounds, st.just(Failure.EXPIRED), drivers),
        st.builds(RideClaimed, rounds, driver_ids, drivers),
    ),
)
opened: st.SearchStrategy[Happening] = st.builds(
    of,
    st.sampled_from(["case-t1", "case-t2"]),
    st.just(CaseOpened("ann")),
    customer_id=st.just("ann"),
    minutes=minutes,
)
cases_events = opened | st.builds(
    of,
    st.sampled_from(["case-t1", "case-t2"]),
    st.builds(CaseResolved, st.sampled_from(Outcome), st.just("analyst-4")),
    customer_id=st.just("ann"),
)
# What a decision sent is named by `with_messages`, and what becomes of it comes behind.
SENT = "message-of-decision"
decisions: st.SearchStrategy[Happening] = st.builds(
    lambda made: of(f"decision-{uuid4()}", made, customer_id="ann"),
    st.builds(
        DecisionMade,
        rule=st.sampled_from(["greet", "warn"]),
        rule_version=st.integers(1, 2),
        instance=st.just(UUID(int=1)),
        step=st.sampled_from(["pattern", "goal", "1"]),
        outcome=st.sampled_from(
            [Decided.ACTED, Decided.WAITING, Decided.HELD_BACK, Decided.HELD_OUT]
        ),
        at=st.integers(0, 9000).map(lambda ago: datetime.now(UTC) - timedelta(seconds=ago)),
        trigger=st.just(UUID(int=1)),
        cause=st.just(UUID(int=1)),
        held=st.lists(
            st.sampled_from([Held("running"), Held("no_consent"), Held("goal", "acted")]),
            min_size=1,
            max_size=2,
        ),
        did=st.lists(
            st.builds(Did, st.just("send"), st.just(SENT), st.sampled_from([None, None, NOON])),
            max_size=2,
        ),
    ),
)
sendings: st.SearchStrategy[Happening] = st.builds(
    of_message,
    st.integers(0, 3).map(str),
    st.sampled_from(
        [
            MessageRequested("news", "Hello"),
            MessageSent("inbox", 1),
            MessageSent("email", 1),
            MessageDelivered("email", NOON),
            MessageOpened("email", NOON),
            MessageDead(),
            MessageUnknown("email", 1, "lost"),
        ]
    ),
)
first_decision = st.just(
    of(
        "decision-1",
        DecisionMade(
            rule="greet",
            rule_version=1,
            instance=UUID(int=1),
            step="pattern",
            outcome=Decided.ACTED,
            at=NOON,
            trigger=UUID(int=1),
            cause=UUID(int=1),
            did=[Did("send", SENT)],
        ),
        customer_id="ann",
    )
)


def with_messages(history: list[Happening]) -> list[Happening]:
    """Every message is of one decision, and what becomes of it is of one of the last four."""
    named: list[Happening] = []
    streams: list[str] = []
    for stream, event in history:
        data = bytes(event.data)
        while SENT.encode() in data:
            streams.append(f"message-{uuid4()}")
            data = data.replace(SENT.encode(), streams[-1].encode(), 1)
        number = stream.removeprefix("message-")
        known = streams[-4:][int(number) % len(streams[-4:])] if number.isdigit() else stream
        named.append((known, msgspec.structs.replace(event, data=Raw(data))))
    return named


happening: st.SearchStrategy[Happening] = st.one_of(
    decisions,
    sendings,
    st.builds(of_customer, customer_ids, customers_events, minutes=minutes),
    sent_events,
    of_messages,
    codes,
    acts,
    rides_events,
    cases_events,
)
# Long enough that one thing changes several times within a batch; none leaves a read model empty.
histories = st.builds(
    lambda *first, others, offer, case: with_messages([*first, *others, offer, case]),
    sent_events,
    acts,
    requests,
    first_code,
    first_decision,
    others=st.lists(happening, min_size=30, max_size=60),
    offer=offers,
    case=opened,
)
batch_sizes = st.sampled_from([1, 7, 1000])
