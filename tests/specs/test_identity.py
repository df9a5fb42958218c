"""What may happen to an identity: at most one customer has it at a time."""

import pytest

from app.kernel.errors import UnknownEvent
from app.modules.customers.decider import IDENTITY, IdentityTaken
from app.modules.customers.events import IdentityClaimed
from app.testing.specs import given
from tests.controls import customers as anna


def test_an_identity_that_nobody_has_is_claimed() -> None:
    given(IDENTITY).when(anna.claim_for_anna).then(anna.claimed_by_anna)


def test_claiming_an_identity_again_is_nothing() -> None:
    given(IDENTITY, anna.claimed_by_anna).when(anna.claim_for_anna).then_nothing()


def test_an_identity_of_another_customer_is_refused() -> None:
    given(IDENTITY, anna.claimed_by_anna).when(anna.claim_for_boris).then_refused(IdentityTaken)


def test_the_refusal_does_not_tell_whose_the_identity_is() -> None:
    assert anna.ANNA not in str(IdentityTaken())


def test_an_identity_is_released() -> None:
    given(IDENTITY, anna.claimed_by_anna).when(anna.release_from_anna).then(anna.released_from_anna)


def test_a_released_identity_may_go_to_another_customer() -> None:
    given(IDENTITY, anna.claimed_by_anna, anna.released_from_anna).when(anna.claim_for_boris).then(
        IdentityClaimed(anna.BORIS)
    )


def test_releasing_an_identity_that_nobody_has_is_nothing() -> None:
    given(IDENTITY).when(anna.release_from_anna).then_nothing()
    given(IDENTITY, anna.claimed_by_anna, anna.released_from_anna).when(
        anna.release_from_anna
    ).then_nothing()


def test_a_customer_cannot_release_another_customers_identity() -> None:
    given(IDENTITY, anna.claimed_by_anna).when(anna.release_from_boris).then_nothing()


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        IDENTITY.evolve(IDENTITY.initial, anna.email_linked)
