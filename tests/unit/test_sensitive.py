"""Which fields are sensitive: by mark, and by name."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from app.catalogue import CATALOGUE
from app.kernel.cipher import Sealed, SealedValue
from app.kernel.sensitive import Names, Sensitive, SensitiveByName, SensitiveFields, marked_fields
from app.modules.accounts.decider import RecordTransaction
from app.modules.customers.decider import (
    CUSTOMER,
    ChangeTraits,
    Customer,
    Register,
    decide_customer,
)
from app.modules.customers.events import CustomerTraitsChanged
from app.modules.messages.decider import BeginSending, RequestMessage
from app.modules.offers.decider import IssueOffer
from app.modules.rides.decider import RequestRide
from app.modules.support.decider import OpenQuestion


class Moved(Struct, frozen=True):
    city: str
    address: Sensitive[str]
    more: SensitiveByName[Mapping[str, Any]]


def test_the_fields_that_a_type_marks_are_known() -> None:
    assert marked_fields(Moved) == (("address", True), ("more", False))


def test_a_marked_field_is_read_plain_and_sealed() -> None:
    sealed = SealedValue(Sealed("AAAA", "d"))
    for address in ("Main Street 1", sealed):
        moved = Moved("Bonn", address, {})
        assert msgspec.json.decode(msgspec.json.encode(moved), type=Moved) == moved


SENSITIVE_COMMANDS = (
    Register,
    ChangeTraits,
    RequestMessage,
    RecordTransaction,
    RequestRide,
    OpenQuestion,
    BeginSending,
    IssueOffer,
)

DECIDED = {"inputs"}
"""What no command brings, for the engine says it itself."""


def test_what_is_sensitive_is_marked_in_commands_and_events_alike() -> None:
    commands = {name for of in SENSITIVE_COMMANDS for name, _ in marked_fields(of)}
    events = {name for of in CATALOGUE.types.values() for name, _ in marked_fields(of)}
    assert commands | DECIDED == events
    assert events == {
        "code", "counterparty", "dropoff", "inputs", "parameters", "pickup", "subject", "text",
        "traits",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["email", "Email", "e-mail", "E_MAIL", "e mail"])
def test_a_name_is_sensitive_however_it_is_spelt(name: str) -> None:
    names = Names(["email"])
    assert name in names
    assert names.may_occur_in(msgspec.json.encode({name: 1}))


@pytest.mark.parametrize("name", ["emails", "my_email", ""])
def test_a_name_that_only_resembles_one_is_not(name: str) -> None:
    assert name not in Names(["email"])


def test_an_event_type_declares_names_beside_those_of_everywhere() -> None:
    fields = SensitiveFields(
        ["email"], lambda tag: {"Ride Ended": frozenset({"from"})}.get(tag, frozenset())
    )
    assert "from" in fields.of("Ride Ended")
    assert "email" in fields.of("Ride Ended")
    assert "from" not in fields.of("Ride Begun")


@pytest.mark.parametrize("name", ["event.data.e-mail", "trigger.data.email.host", "Email"])
def test_a_copy_has_the_names_of_its_path(name: str) -> None:
    names = SensitiveFields(["email"]).of_copies("decision.made", frozenset())
    assert name in names
    assert names.may_occur_in(msgspec.json.encode({name: 1.5}))


@pytest.mark.parametrize("name", ["event.data.emails", "event.email", "my.email"])
def test_what_a_path_begins_with_is_no_name(name: str) -> None:
    assert name not in SensitiveFields(["email"]).of_copies("decision.made", frozenset())


def trait(digest: str, sealed: str = "AAAA") -> dict[str, Any]:
    return {"$tidings": {"sealed": sealed, "digest": digest}}


def test_an_equal_sealed_trait_is_no_change_and_another_is() -> None:
    before = Customer(traits={"email": trait("d1"), "billing": {"email": trait("d1")}})
    same = {"email": trait("d1", "BBBB"), "billing": {"email": trait("d1", "CCCC")}}
    assert decide_customer(ChangeTraits(same), before) == ()
    assert decide_customer(ChangeTraits({"email": trait("d2")}), before) == (
        CustomerTraitsChanged({"email": trait("d2")}),
    )
    assert decide_customer(ChangeTraits({"email": None}), before)
    assert CUSTOMER.category == "customer"
