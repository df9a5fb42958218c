"""What holds for the deciders whatever is commanded, in whatever order."""

from typing import Any
from uuid import UUID

import hypothesis
from hypothesis import strategies as st

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event
from app.modules.customers.decider import (
    CUSTOMER,
    IDENTITY,
    ChangeTraits,
    ClaimIdentity,
    CustomerCommand,
    IdentityCommand,
    LinkIdentity,
    Preference,
    RecordConsent,
    Register,
    ReleaseIdentity,
    SetPreferences,
    UnlinkIdentity,
    WithdrawConsent,
)
from app.modules.messages.decider import MESSAGE, MarkRead, MessageCommand, RequestMessage
from app.modules.messages.events import Priority
from app.testing.specs import through_the_wire

MAX_COMMANDS = 40

# No verdict about a machine's speed: hypothesis's deadline and its slowness check are off.
law = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])

# Few names and values, so that commands meet each other's outcomes often.
values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, -1, "", "free", "pro"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=3,
)
traits = st.dictionaries(st.sampled_from(["name", "plan", "seats"]), values, max_size=3)
channels, topics = st.sampled_from(["email", "sms"]), st.sampled_from(["news", "offers"])
identity_ids = st.integers(0, 3).map(lambda number: UUID(int=number))
customer_ids = st.sampled_from(["anna", "boris"])

customer_commands: st.SearchStrategy[list[CustomerCommand]] = st.lists(
    st.builds(Register, traits)
    | st.builds(ChangeTraits, traits)
    | st.builds(RecordConsent, channels, topics)
    | st.builds(WithdrawConsent, channels, topics)
    | st.builds(
        SetPreferences,
        st.lists(st.builds(Preference, channels, topics, st.booleans()), max_size=4),
    )
    | st.builds(LinkIdentity, identity_ids, st.sampled_from(["email", "phone"]))
    | st.builds(UnlinkIdentity, identity_ids),
    max_size=MAX_COMMANDS,
)
identity_commands: st.SearchStrategy[list[IdentityCommand]] = st.lists(
    st.builds(ClaimIdentity, customer_ids) | st.builds(ReleaseIdentity, customer_ids),
    max_size=MAX_COMMANDS,
)

message_commands: st.SearchStrategy[list[MessageCommand]] = st.lists(
    st.builds(RequestMessage, st.just("news"), st.sampled_from("ab"), st.sampled_from(Priority))
    | st.builds(MarkRead),
    max_size=MAX_COMMANDS,
)


@law
@hypothesis.given(customer_commands)
def test_a_customer_folded_event_by_event_equals_one_folded_at_once(
    commands: list[CustomerCommand],
) -> None:
    check_that_folds_agree(CUSTOMER, commands)


@law
@hypothesis.given(customer_commands)
def test_nothing_to_do_for_a_customer_stays_nothing(commands: list[CustomerCommand]) -> None:
    check_that_repeats_are_nothing_or_refused(CUSTOMER, commands)


@law
@hypothesis.given(identity_commands)
def test_an_identity_folded_event_by_event_equals_one_folded_at_once(
    commands: list[IdentityCommand],
) -> None:
    check_that_folds_agree(IDENTITY, commands)


@law
@hypothesis.given(identity_commands)
def test_nothing_to_do_for_an_identity_stays_nothing(commands: list[IdentityCommand]) -> None:
    check_that_repeats_are_nothing_or_refused(IDENTITY, commands)


@law
@hypothesis.given(message_commands)
def test_a_message_folded_event_by_event_equals_one_folded_at_once(
    commands: list[MessageCommand],
) -> None:
    check_that_folds_agree(MESSAGE, commands)


@law
@hypothesis.given(message_commands)
def test_nothing_to_do_for_a_message_stays_nothing(commands: list[MessageCommand]) -> None:
    check_that_repeats_are_nothing_or_refused(MESSAGE, commands)


def check_that_folds_agree(decider: Decider[Any, Any], commands: list[Any]) -> None:
    """The state kept in memory is the one that the log gives after a restart."""
    state, log = decider.initial, list[Event]()
    for command in commands:
        decided = decide(decider, command, state) or ()
        state = decider.fold(decided, state)
        log += (through_the_wire(decider, event) for event in decided)
    assert decider.fold(log) == state


def check_that_repeats_are_nothing_or_refused(
    decider: Decider[Any, Any], commands: list[Any]
) -> None:
    """A command at once repeated adds nothing; the second time is as good as the first."""
    state = decider.initial
    for command in commands:
        decided = decide(decider, command, state)
        before, state = state, decider.fold(decided or (), state)
        assert not decide(decider, command, state)
        if not decided:
            assert state == before


def decide(decider: Decider[Any, Any], command: Any, state: Any) -> tuple[Event, ...] | None:
    """The events, or None for a refusal."""
    try:
        return tuple(decider.decide(command, state))
    except Refused:
        return None
