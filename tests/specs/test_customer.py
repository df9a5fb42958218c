"""What may happen to a customer."""

from typing import Any
from uuid import UUID

import pytest

from app.kernel.errors import Erased, UnknownEvent
from app.modules.customers.decider import (
    CUSTOMER,
    MAX_CONSENTS,
    MAX_IDENTITIES,
    MAX_TRAITS,
    AlreadyRegistered,
    ChangeTraits,
    Erase,
    LinkIdentity,
    Preference,
    RecordConsent,
    Register,
    SetPreferences,
    TooManyConsents,
    TooManyIdentities,
    TooManyTraits,
    UnlinkIdentity,
    WithdrawConsent,
)
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerErased,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
    IdentityUnlinked,
)
from app.testing.specs import given
from tests.controls import customers as anna

FULL_TRAITS = {f"trait {number}": number for number in range(MAX_TRAITS)}
FULL_CONSENTS = tuple(ConsentRecorded("email", f"topic-{n}") for n in range(MAX_CONSENTS))
FULL_IDENTITIES = tuple(IdentityLinked(UUID(int=n), "email") for n in range(MAX_IDENTITIES))


def test_an_unknown_customer_is_registered() -> None:
    given(CUSTOMER).when(anna.register).then(anna.registered)


def test_a_customer_registers_without_any_trait() -> None:
    given(CUSTOMER).when(Register({})).then(CustomerRegistered({}))


def test_a_customer_known_by_other_events_is_registered() -> None:
    given(CUSTOMER, anna.upgraded, anna.agreed_to_news).when(anna.register).then(anna.registered)


def test_registering_twice_is_refused() -> None:
    given(CUSTOMER, anna.registered).when(anna.register).then_refused(AlreadyRegistered)
    given(CUSTOMER, anna.registered).when(Register({})).then_refused(AlreadyRegistered)


def test_registering_keeps_the_traits_it_does_not_name() -> None:
    state = CUSTOMER.fold([CustomerTraitsChanged({"colour": "red", "plan": "pro"})])
    state = CUSTOMER.fold([anna.registered], state)
    assert state.traits == {"colour": "red", **anna.TRAITS}


def test_registering_with_a_null_removes_a_trait() -> None:
    state = CUSTOMER.fold(
        [CustomerTraitsChanged({"plan": "pro"}), CustomerRegistered({"plan": None})]
    )
    assert state.traits == {}


def test_a_trait_changes() -> None:
    given(CUSTOMER, anna.registered).when(anna.upgrade).then(anna.upgraded)


def test_a_customer_never_registered_gets_traits() -> None:
    given(CUSTOMER).when(anna.upgrade).then(anna.upgraded)


def test_only_traits_that_really_change_are_recorded() -> None:
    given(CUSTOMER, anna.registered).when(ChangeTraits({**anna.TRAITS, "plan": "pro"})).then(
        anna.upgraded
    )


def test_traits_equal_to_the_present_ones_are_nothing() -> None:
    given(CUSTOMER, anna.registered).when(ChangeTraits(anna.TRAITS)).then_nothing()


def test_a_change_of_no_trait_is_nothing() -> None:
    given(CUSTOMER, anna.registered).when(ChangeTraits({})).then_nothing()


def test_a_null_removes_a_trait() -> None:
    given(CUSTOMER, anna.registered).when(ChangeTraits({"plan": None})).then(
        CustomerTraitsChanged({"plan": None})
    )


def test_removing_a_trait_that_is_not_there_is_nothing() -> None:
    given(CUSTOMER, anna.registered).when(ChangeTraits({"colour": None})).then_nothing()


def test_a_trait_that_was_removed_can_be_set_again() -> None:
    removed = CustomerTraitsChanged({"plan": None})
    given(CUSTOMER, anna.registered, removed).when(anna.upgrade).then(anna.upgraded)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 1.0),
        (10**300, 1e300),
        ({"a": 1, "b": [1, {"c": None}]}, {"b": [1.0, {"c": None}], "a": 1}),
        ([], []),
    ],
)
def test_equal_json_is_no_change(before: Any, after: Any) -> None:
    had = CustomerTraitsChanged({"it": before})
    given(CUSTOMER, had).when(ChangeTraits({"it": after})).then_nothing()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, True),
        (False, 0),
        ("1", 1),
        ([1], [True]),
        ([1], [1, 1]),
        ([1, 2], [2, 1]),
        ({"a": 0}, {"a": False}),
        ({"a": None}, {}),
        ({}, []),
    ],
)
def test_different_json_is_a_change(before: Any, after: Any) -> None:
    had = CustomerTraitsChanged({"it": before})
    given(CUSTOMER, had).when(ChangeTraits({"it": after})).then(
        CustomerTraitsChanged({"it": after})
    )


def test_as_many_traits_as_allowed_are_recorded() -> None:
    given(CUSTOMER).when(Register(FULL_TRAITS)).then(CustomerRegistered(FULL_TRAITS))
    given(CUSTOMER).when(ChangeTraits(FULL_TRAITS)).then(CustomerTraitsChanged(FULL_TRAITS))


def test_more_traits_than_allowed_are_refused() -> None:
    one_more = {**FULL_TRAITS, "one more": 1}
    full = CustomerTraitsChanged(FULL_TRAITS)
    given(CUSTOMER).when(Register(one_more)).then_refused(TooManyTraits)
    given(CUSTOMER).when(ChangeTraits(one_more)).then_refused(TooManyTraits)
    given(CUSTOMER, full).when(ChangeTraits({"one more": 1})).then_refused(TooManyTraits)
    given(CUSTOMER, full).when(Register({"one more": 1})).then_refused(TooManyTraits)


def test_a_trait_may_take_the_place_of_one_removed_with_it() -> None:
    swap = {"trait 0": None, "one more": 1}
    full = CustomerTraitsChanged(FULL_TRAITS)
    given(CUSTOMER, full).when(ChangeTraits(swap)).then(CustomerTraitsChanged(swap))


def test_a_consent_is_recorded() -> None:
    given(CUSTOMER, anna.registered).when(anna.agree_to_news).then(anna.agreed_to_news)


def test_a_customer_never_registered_consents() -> None:
    given(CUSTOMER).when(anna.agree_to_news).then(anna.agreed_to_news)


def test_a_consent_recorded_already_is_nothing() -> None:
    given(CUSTOMER, anna.agreed_to_news).when(anna.agree_to_news).then_nothing()


def test_a_consent_is_for_one_channel_and_one_topic() -> None:
    other_channel, other_topic = RecordConsent("sms", "news"), RecordConsent("email", "offers")
    given(CUSTOMER, anna.agreed_to_news).when(other_channel).then(ConsentRecorded("sms", "news"))
    given(CUSTOMER, anna.agreed_to_news).when(other_topic).then(ConsentRecorded("email", "offers"))


def test_a_consent_is_withdrawn() -> None:
    given(CUSTOMER, anna.agreed_to_news).when(anna.decline_news).then(anna.declined_news)


def test_withdrawing_a_consent_never_given_is_recorded_as_an_opt_out() -> None:
    given(CUSTOMER).when(anna.decline_news).then(anna.declined_news)


def test_withdrawing_again_is_nothing() -> None:
    given(CUSTOMER, anna.declined_news).when(anna.decline_news).then_nothing()


def test_a_consent_can_be_given_again() -> None:
    given(CUSTOMER, anna.agreed_to_news, anna.declined_news).when(anna.agree_to_news).then(
        anna.agreed_to_news
    )


def test_more_consents_than_allowed_are_refused() -> None:
    given(CUSTOMER, *FULL_CONSENTS[1:]).when(anna.agree_to_news).then(anna.agreed_to_news)
    given(CUSTOMER, *FULL_CONSENTS).when(anna.agree_to_news).then_refused(TooManyConsents)
    given(CUSTOMER, *FULL_CONSENTS).when(anna.decline_news).then_refused(TooManyConsents)


def test_of_as_many_consents_as_allowed_each_can_still_be_withdrawn() -> None:
    given(CUSTOMER, *FULL_CONSENTS).when(WithdrawConsent("email", "topic-0")).then(
        ConsentWithdrawn("email", "topic-0")
    )


def test_preferences_are_set_together_and_only_what_changes_is_recorded() -> None:
    said = SetPreferences(
        [
            Preference("email", "news", given=True),
            Preference("email", "offers", given=False),
            Preference("sms", "news", given=True),
        ]
    )
    given(CUSTOMER, anna.agreed_to_news).when(said).then(
        ConsentWithdrawn("email", "offers"), ConsentRecorded("sms", "news")
    )
    given(
        CUSTOMER,
        anna.agreed_to_news,
        ConsentWithdrawn("email", "offers"),
        ConsentRecorded("sms", "news"),
    ).when(said).then_nothing()


def test_preferences_of_which_one_is_too_many_are_all_refused() -> None:
    two = SetPreferences(
        [Preference("email", "topic-0", given=False), Preference("sms", "one more", given=True)]
    )
    given(CUSTOMER, *FULL_CONSENTS).when(two).then_refused(TooManyConsents)
    given(CUSTOMER, *FULL_CONSENTS[:-1]).when(two).then(
        ConsentWithdrawn("email", "topic-0"), ConsentRecorded("sms", "one more")
    )


def test_an_identity_is_linked() -> None:
    given(CUSTOMER, anna.registered).when(anna.link_email).then(anna.email_linked)


def test_a_customer_never_registered_is_linked() -> None:
    given(CUSTOMER).when(anna.link_email).then(anna.email_linked)


def test_linking_the_same_identity_again_is_nothing() -> None:
    given(CUSTOMER, anna.email_linked).when(anna.link_email).then_nothing()


def test_a_customer_has_several_identities_of_one_kind() -> None:
    another = LinkIdentity(anna.PHONE_ID, "email")
    given(CUSTOMER, anna.email_linked).when(another).then(IdentityLinked(anna.PHONE_ID, "email"))


def test_more_identities_than_allowed_are_refused() -> None:
    given(CUSTOMER, *FULL_IDENTITIES[1:]).when(anna.link_email).then(anna.email_linked)
    given(CUSTOMER, *FULL_IDENTITIES).when(anna.link_email).then_refused(TooManyIdentities)


def test_of_as_many_identities_as_allowed_a_linked_one_is_nothing() -> None:
    given(CUSTOMER, *FULL_IDENTITIES).when(LinkIdentity(UUID(int=0), "email")).then_nothing()


def test_an_identity_is_unlinked_with_the_kind_it_was_linked_with() -> None:
    given(CUSTOMER, anna.email_linked).when(anna.unlink_email).then(anna.email_unlinked)


def test_unlinking_an_identity_that_is_not_linked_is_nothing() -> None:
    given(CUSTOMER).when(anna.unlink_email).then_nothing()
    given(CUSTOMER, anna.email_linked).when(UnlinkIdentity(anna.PHONE_ID)).then_nothing()


def test_unlinking_again_is_nothing() -> None:
    given(CUSTOMER, anna.email_linked, anna.email_unlinked).when(anna.unlink_email).then_nothing()


def test_an_identity_can_be_linked_again() -> None:
    given(CUSTOMER, anna.email_linked, anna.email_unlinked).when(anna.link_email).then(
        anna.email_linked
    )


def test_unlinking_leaves_the_other_identities() -> None:
    phone_linked = IdentityLinked(anna.PHONE_ID, "phone")
    given(CUSTOMER, anna.email_linked, phone_linked, anna.email_unlinked).when(
        UnlinkIdentity(anna.PHONE_ID)
    ).then(IdentityUnlinked(anna.PHONE_ID, "phone"))


def test_an_erasure_says_how_many_identities_and_visitors_there_were() -> None:
    given(CUSTOMER, anna.registered, anna.email_linked).when(Erase(0)).then(CustomerErased(1, 0))
    given(CUSTOMER).when(Erase(0)).then(CustomerErased(0, 0))


def test_erasing_again_is_nothing() -> None:
    given(CUSTOMER, anna.registered, CustomerErased(0, 0)).when(Erase(0)).then_nothing()


@pytest.mark.parametrize(
    "command",
    [anna.register, anna.upgrade, anna.agree_to_news, anna.decline_news, anna.link_email],
    ids=lambda command: type(command).__name__,
)
def test_to_the_erased_nothing_is_commanded(command: Any) -> None:
    given(CUSTOMER, anna.registered, CustomerErased(0, 0)).when(command).then_refused(Erased)


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        CUSTOMER.evolve(CUSTOMER.initial, anna.claimed_by_anna)
