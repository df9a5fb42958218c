"""What may happen to an offer, and what follows."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from app.kernel.event import Event
from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.offers.codes import CODE_CHARACTERS, code_of
from app.modules.offers.decider import (
    OFFER,
    CodeExpired,
    CodeUsed,
    CodeWithdrawn,
    ExpireOffer,
    NoSuchOffer,
    OfferTaken,
    WrongCode,
)
from app.modules.offers.policy import OFFER_EXPIRY
from app.testing.specs import SOME_DAY, given, when
from app.testing.world import World
from tests.controls import offers as anna

A_MOMENT = timedelta(microseconds=1)


def test_an_offer_is_issued_once() -> None:
    given(OFFER).when(anna.issue).then(anna.issued)
    given(OFFER, anna.issued).when(anna.issue).then_nothing()
    given(OFFER, anna.issued, anna.redeemed).when(anna.issue).then_nothing()


@pytest.mark.parametrize(
    "other", [{"customer_id": "ben"}, {"offer": "other"}, {"expires_at": SOME_DAY}]
)
def test_another_offer_of_the_same_id_is_refused(other: dict[str, object]) -> None:
    given(OFFER, anna.issued).when(replace(anna.issue, **other)).then_refused(OfferTaken)


def test_an_offer_is_redeemed_once_until_it_expires() -> None:
    just_in_time = replace(anna.redeem, at=anna.EXPIRES_AT - A_MOMENT)
    given(OFFER, anna.issued).when(just_in_time).then(anna.redeemed)
    given(OFFER, anna.issued, anna.redeemed).when(anna.redeem).then_refused(CodeUsed)


def test_an_offer_has_expired_at_its_time_whether_that_was_noted_or_not() -> None:
    late = replace(anna.redeem, at=anna.EXPIRES_AT)
    given(OFFER, anna.issued).when(late).then_refused(CodeExpired)
    given(OFFER, anna.issued, anna.expired).when(late).then_refused(CodeExpired)


def test_a_withdrawn_offer_is_not_redeemed() -> None:
    given(OFFER, anna.issued).when(anna.withdraw).then(anna.withdrawn)
    given(OFFER, anna.issued, anna.withdrawn).when(anna.redeem).then_refused(CodeWithdrawn)


def test_of_another_customer_or_with_another_code_it_tells_nothing_of_itself() -> None:
    bens, wrong = replace(anna.redeem, customer_id="ben"), replace(anna.redeem, code="GUESS")
    for history in ((anna.issued,), (anna.issued, anna.redeemed), (anna.issued, anna.expired)):
        given(OFFER, *history).when(bens).then_refused(NoSuchOffer)
        given(OFFER, *history).when(wrong).then_refused(WrongCode)


@pytest.mark.parametrize("over", [anna.redeemed, anna.withdrawn, anna.expired])
def test_what_is_over_stays_as_it_is(over: Event) -> None:
    given(OFFER, anna.issued, over).when(anna.withdraw).then_nothing()
    given(OFFER, anna.issued, over).when(anna.expire).then_nothing()


@pytest.mark.parametrize("command", [anna.redeem, anna.withdraw, anna.expire])
def test_nothing_is_done_with_an_offer_that_is_not_there(command: object) -> None:
    given(OFFER).when(command).then_refused(NoSuchOffer)  # type: ignore[arg-type] # one of a union


def test_a_timer_is_set_for_the_end_and_taken_away_with_the_offer() -> None:
    key, expire = "offer-expiry:offer-o-1", Send(OFFER, "o-1", ExpireOffer())
    when(OFFER_EXPIRY, anna.issued, thing_id="o-1").then(SetTimer(key, anna.EXPIRES_AT, expire))
    when(OFFER_EXPIRY, anna.redeemed, thing_id="o-1").then(CancelTimer(key))
    when(OFFER_EXPIRY, anna.withdrawn, thing_id="o-1").then(CancelTimer(key))


def test_of_two_offers_the_one_that_is_not_redeemed_expires() -> None:
    world = World([OFFER_EXPIRY])
    for offer_id in ("o-1", "o-2"):
        world.send(OFFER, offer_id, anna.issue)
    world.send(OFFER, "o-1", anna.redeem)
    world.pass_time(timedelta(days=8))
    assert world.happened("offer-o-1") == [anna.issued, anna.redeemed]
    assert world.happened("offer-o-2") == [anna.issued, anna.expired]


def test_a_code_follows_from_the_id_and_the_secret() -> None:
    code = code_of(b"secret")
    assert code("o-1") == code("o-1") == code_of(b"secret")("o-1")
    assert len({code("o-1"), code("o-2"), code_of(b"other")("o-1")}) == 3
    assert len(code("o-1")) == CODE_CHARACTERS
