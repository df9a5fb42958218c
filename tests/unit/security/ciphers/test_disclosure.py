"""Who sees what of sealed values, and what sealing does for those who were erased."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from app.kernel.cipher import MASK, SealedValue
from app.kernel.principal import Principal
from app.kernel.sensitive import SensitiveFields
from app.modules.customers.decider import ChangeTraits, RecordConsent
from app.security.ciphers.data_key import DataKey
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
from app.security.ciphers.sealing import Sealing
from tests.controls.events import an_append, an_event
from tests.unit.test_sensitive import Moved

pytestmark = pytest.mark.anyio

ANN = DataKey(b"a" * 32, "tidings", "ann")
SEALED = Raw(
    b'{"n":1,"email":%b}' % msgspec.json.encode(SealedValue(ANN.seal("email", b'"a@b.c"')))
)


class FewKeys:
    """Keys in memory; Erased has none any more. Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []

    async def of(self, customer_ids: Iterable[str]) -> Mapping[str, DataKey | None]:
        self.asked.append(set(customer_ids))
        return {customer_id: {"ann": ANN}.get(customer_id) for customer_id in self.asked[-1]}

    of_all = of


def principal(*scopes: str, customer_id: str | None = None) -> Principal:
    return Principal("shop", "key:1", frozenset(scopes), customer_id)


async def shown(keys: FewKeys, who: Principal, *values: tuple[str | None, Raw]) -> list[Any]:
    view = Disclosure(cast(DataKeys, keys)).to(who)
    return [msgspec.json.decode(value) for value in await view(values)]


@pytest.mark.parametrize(
    ("who", "email"),
    [
        (principal("pii:read", "events:read"), "a@b.c"),
        (principal("*"), "a@b.c"),
        (principal("timeline:read", "pii:read", customer_id="ann"), "a@b.c"),
        (principal("timeline:read", customer_id="ann"), MASK),
        (principal("events:read", "timeline:read", "customers:read", "keys:admin"), MASK),
        (principal(), MASK),
    ],
)
async def test_sealed_values_are_opened_for_who_may_see_them_alone(
    who: Principal, email: str
) -> None:
    assert await shown(FewKeys(), who, ("ann", SEALED)) == [{"n": 1, "email": email}]


async def test_what_nobody_can_open_is_null() -> None:
    erased, moved, nobodys = ("erased", SEALED), ("ann", SEALED), (None, SEALED)
    altered = ("ann", Raw(bytes(SEALED).replace(b'"email"', b'"phone"')))
    assert await shown(FewKeys(), principal("*"), erased, nobodys, altered, moved) == [
        {"n": 1, "email": None},
        {"n": 1, "email": None},
        {"n": 1, "phone": None},
        {"n": 1, "email": "a@b.c"},
    ]


async def test_all_keys_of_an_answer_are_asked_for_at_once_and_only_where_needed() -> None:
    keys = FewKeys()
    plain = ("boris", Raw(b'{"n":1}'))
    await shown(keys, principal("*"), ("ann", SEALED), plain, ("erased", SEALED), ("ann", SEALED))
    assert keys.asked == [{"ann", "erased"}]
    await shown(keys, principal("*"), plain)
    await shown(keys, principal(), ("ann", SEALED))
    assert len(keys.asked) == 1


async def test_events_without_sensitive_names_are_neither_decoded_nor_given_a_key() -> None:
    keys = FewKeys()
    appends = [an_append("activity-ann", an_event(data=b'{"sku": "A-7"}'))]
    sealing = Sealing(cast(DataKeys, keys), SensitiveFields())
    assert await sealing.appends(appends) is appends
    assert keys.asked == []


async def test_the_keys_of_a_batch_are_asked_for_at_once() -> None:
    keys = FewKeys()
    sealing = Sealing(cast(DataKeys, keys), SensitiveFields())
    ids = ("ann", "erased", "ann", None)
    appends = [an_append("s", an_event(data=b'{"ip":"::1"}', customer_id=id_)) for id_ in ids]
    sealed = await sealing.appends(appends)
    assert keys.asked == [{"ann", "erased"}]
    data = [msgspec.json.decode(append.streams[0].events[0].data) for append in sealed]
    assert data[0]["ip"].keys() == {"$tidings"}
    assert data[1] == {"ip": None}  # what is an erased customer's is dropped
    assert data[3] == {"ip": "::1"}  # nobody's: there is no key


async def test_commands_are_sealed_as_their_types_mark_it() -> None:
    sealing = Sealing(cast(DataKeys, FewKeys()), SensitiveFields())
    moved = await sealing.command("ann", Moved("Bonn", "Main Street 1", {"phone": 1, "x": 2}))
    assert moved.city == "Bonn"
    assert isinstance(moved.address, SealedValue)
    assert bytes(ANN.open("address", moved.address.tidings)) == b'"Main Street 1"'
    assert moved.more["phone"].keys() == {"$tidings"}
    assert moved.more["x"] == 2
    assert await sealing.command("ann", moved) == moved
    for plain in (ChangeTraits({"plan": "pro"}), RecordConsent("email", "news")):
        assert await sealing.command("ann", plain) is plain


async def test_the_keys_that_commands_will_take_are_asked_for_at_once() -> None:
    keys = FewKeys()
    sealing = Sealing(cast(DataKeys, keys), SensitiveFields())
    moved = Moved("Bonn", "Main Street 1", {})
    await sealing.prepare([("ann", moved), ("erased", moved), (None, moved), ("ann", moved)])
    assert keys.asked == [{"ann", "erased"}]
    await sealing.prepare([(None, moved)])
    assert len(keys.asked) == 1
