"""The exit status of a check says whether everything is accounted for."""

from datetime import timedelta

from app.cli.simulation_check import status_of
from app.simulation.check import Checked
from app.simulation.client import Outcome
from app.simulation.crowd import person_of
from app.simulation.ledgers.account import Account
from app.simulation.messages import Command, Message
from app.simulation.tally import Tally

MESSAGE = Message(person_of(1, 1), Command("claim", {}, "key-1", "/v1/rides/1/claim"))


def checked(*complaints: str) -> Checked:
    account = Account("rides")
    for complaint in complaints:
        account.object(complaint)
    return Checked([Account("orders"), account], timedelta(days=1), hops=7)


def test_it_is_0_when_everything_is_accounted_for() -> None:
    assert status_of(checked(), Tally()) == 0


def test_it_is_1_when_something_is_not() -> None:
    assert status_of(checked("ride 1: driver d1 has it"), Tally()) == 1


def test_it_is_1_when_something_was_rejected() -> None:
    tally = Tally()
    tally.count(MESSAGE, Outcome("rejected", "claim: the ride has ended", "ride-ended"))
    assert status_of(checked(), tally) == 1


def test_what_is_refused_as_it_should_be_is_no_failure() -> None:
    tally = Tally()
    tally.count(MESSAGE, Outcome("refused", "claim: the ride has ended", "ride-ended"))
    assert status_of(checked(), tally) == 0
