"""Receipts of erasures: the same each time, and nobody else can make one."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Raw

from app.kernel.errors import InvalidInput
from app.kernel.event import RecordedEvent
from app.kernel.ids import new_event_id
from app.modules.customers.events import CustomerErased
from app.modules.customers.receipts import Receipt, Receipts, _bytes
from tests.integration.projections.stage import NOON

RECORDED = RecordedEvent(
    position=8,
    event_id=new_event_id(),
    stream="customer-anna",
    version=5,
    type=CustomerErased.tag,
    schema_version=1,
    customer_id="anna",
    data=Raw(b"{}"),
    metadata=Raw(b"{}"),
    occurred_at=NOON,
    recorded_at=NOON,
)
RECEIPTS = Receipts(b"the store's secret")


def receipt(customer_id: str = "anna") -> Receipt:
    return RECEIPTS.of(customer_id, RECORDED, CustomerErased(2, 1))


def test_a_receipt_is_the_same_each_time_and_names_nobody() -> None:
    made = msgspec.json.encode(receipt())
    assert made == msgspec.json.encode(
        Receipts(b"the store's secret").of("anna", RECORDED, CustomerErased(2, 1))
    )
    assert b"anna" not in made


def test_a_receipt_is_known_again_and_whose_it_is() -> None:
    text = msgspec.json.encode(receipt())
    assert RECEIPTS.check(text) == RECEIPTS.check(text, "anna") == receipt()
    with pytest.raises(InvalidInput, match="another customer"):
        RECEIPTS.check(text, "boris")


def test_its_signature_is_a_json_web_signature_that_anybody_can_check() -> None:
    header, payload, signature = receipt().signature.encode().split(b".")
    said = msgspec.json.decode(_bytes(header))
    assert said["alg"] == "EdDSA"
    key = Ed25519PublicKey.from_public_bytes(_bytes(said["jwk"]["x"].encode()))
    key.verify(_bytes(signature), header + b"." + payload)
    assert msgspec.json.decode(_bytes(payload))["position"] == 8


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        msgspec.json.encode(msgspec.structs.replace(receipt(), position=9)),
        msgspec.json.encode(msgspec.structs.replace(receipt(), customer="0" * 64)),
        msgspec.json.encode(msgspec.structs.replace(receipt(), signature="")),
        msgspec.json.encode(msgspec.structs.replace(receipt(), signature="a.b.c")),
        msgspec.json.encode(msgspec.structs.replace(receipt(), signature="ü.ü.ü")),
        msgspec.json.encode(
            msgspec.structs.replace(receipt(), signature=receipt("boris").signature)
        ),
        msgspec.json.encode(Receipts(b"another secret").of("anna", RECORDED, CustomerErased(2, 1))),
    ],
)
def test_what_was_not_signed_here_is_no_receipt(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        RECEIPTS.check(text)
