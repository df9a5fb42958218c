"""What holds for transactions, cards, accounts and cases, whatever is commanded."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.modules.accounts.cases import CASE
from app.modules.accounts.decider import TRANSACTION
from app.modules.accounts.instruments import ACCOUNT, CARD
from tests.controls import accounts as a
from tests.specs.test_laws import (
    MAX_COMMANDS,
    check_that_folds_agree,
    check_that_repeats_are_nothing_or_refused,
    law,
)

COMMANDS: list[tuple[Decider[Any, Any], list[Any]]] = [
    (
        TRANSACTION,
        [
            a.record,
            a.record_transfer,
            a.small_risk,
            a.risk,
            a.other_risk,
            a.confirm,
            a.deny,
            a.stop_waiting,
            a.settle_released,
            a.settle_blocked,
        ],
    ),
    (CARD, [a.charge, replace(a.charge, transaction_id="t-2"), a.freeze, a.unfreeze]),
    (ACCOUNT, [a.set_limit, replace(a.set_limit, amount=1), a.check_transfer]),
    (CASE, [a.open_case, a.resolve_released, a.resolve_blocked]),
]


@pytest.mark.parametrize(
    ("decider", "commands"), COMMANDS, ids=lambda each: getattr(each, "category", "")
)
@law
@hypothesis.given(data=st.data())
def test_folds_agree_and_repeats_are_nothing(
    decider: Decider[Any, Any], commands: list[Any], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(commands), max_size=MAX_COMMANDS))
    check_that_folds_agree(decider, chosen)
    check_that_repeats_are_nothing_or_refused(decider, chosen)
