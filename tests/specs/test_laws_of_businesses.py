"""The laws of deciders, for carts, visitors, playbacks and subscriptions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from app.kernel.decider import Decider
from app.modules.carts.decider import (
    CART,
    VISITOR,
    AddItem,
    AssignCart,
    ChangeItem,
    CheckOut,
    ForgetVisitor,
    NoteCart,
    OpenCart,
    RecogniseVisitor,
    RemoveItem,
)
from app.modules.playback.decider import (
    PLAYBACK,
    SUBSCRIPTION,
    CancelSubscription,
    EndPeriod,
    Finish,
    LapseSubscription,
    Pause,
    Resume,
    StartPlayback,
)
from tests.controls import playback
from tests.specs.test_laws import (
    MAX_COMMANDS,
    check_that_folds_agree,
    check_that_repeats_are_nothing_or_refused,
    law,
)

skus, numbers = st.sampled_from(["shoes", "socks", "hat"]), st.integers(1, 2)
people, carts = st.sampled_from(["anna", "boris"]), st.sampled_from(["1", "2"])
MONTHLY = playback.subscribe
YEARLY = msgspec.structs.replace(MONTHLY, months=12)

COMMANDS: Sequence[tuple[Decider[Any, Any], st.SearchStrategy[Any]]] = [
    (
        CART,
        st.builds(OpenCart, people)
        | st.just(OpenCart("~visitor", UUID(int=1)))
        | st.builds(AddItem, skus, numbers, numbers, st.sampled_from(["EUR", "USD"]))
        | st.builds(ChangeItem, skus, numbers, st.none() | numbers)
        | st.builds(RemoveItem, skus)
        | st.builds(AssignCart, people)
        | st.just(CheckOut()),
    ),
    (
        VISITOR,
        st.builds(NoteCart, carts)
        | st.builds(RecogniseVisitor, people)
        | st.builds(ForgetVisitor, people),
    ),
    (
        PLAYBACK,
        st.builds(StartPlayback, people, st.just("dune-2"), st.just("tv"))
        | st.builds(Pause, st.integers(1, 9), numbers)
        | st.builds(Resume, st.integers(1, 9), numbers)
        | st.builds(Finish, st.integers(1, 9), numbers),
    ),
    (
        SUBSCRIPTION,
        st.sampled_from([MONTHLY, YEARLY, CancelSubscription(), LapseSubscription()])
        | st.builds(EndPeriod, st.integers(1, 4)),
    ),
]


@pytest.mark.parametrize(
    ("decider", "commands"), COMMANDS, ids=["cart", "visitor", "playback", "subscription"]
)
def test_the_laws_of_deciders_hold(
    decider: Decider[Any, Any], commands: st.SearchStrategy[Any]
) -> None:
    @law
    @hypothesis.given(st.lists(commands, max_size=MAX_COMMANDS))
    def check(sent: list[Any]) -> None:
        check_that_folds_agree(decider, sent)
        check_that_repeats_are_nothing_or_refused(decider, sent)

    check()
